#!/bin/sh
# Process 1 of the throw-away machine: lets jobs die of control groups of version 2, of signals and of GPUs that write
# to the kernel's log, and keeps what each left behind in a folder of its own under /results.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs -o size=64m tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /tmp
hostname gpu-node
groups=/sys/fs/cgroup
echo "+memory +pids +cpu" >$groups/cgroup.subtree_control

say() { echo "=== $* $(cut -d' ' -f1 /proc/uptime)" >/dev/console; }
# Run a job in a group: in_group NAME SCRIPT
in_group() { sh -c "echo \$\$ >$groups/$1/cgroup.procs; $2"; }
# What a script wrote and how it ended: job FOLDER GROUP SCRIPT
job() {
  mkdir -p /results/$1
  printf '%s\n' "$3" >/tmp/job.sh
  in_group $2 "sh /tmp/job.sh" >/results/$1/job.log 2>&1
  echo $? >/results/$1/status
}
# The group's own files: counters GROUP FOLDER
counters() {
  mkdir -p /results/$2
  for name in memory.max memory.high memory.events memory.oom.group memory.current memory.peak pids.max pids.events cpu.max; do
    [ -r $groups/$1/$name ] && cat $groups/$1/$name >/results/$2/$name
  done
}
# New lines of the kernel's log: kernel_log FOLDER
kernel_log() { dmesg -c >/results/$1/dmesg.txt; }
# An installed command in a group: doctor FOLDER GROUP FILE WORDS...
doctor() {
  folder=$1 group=$2 file=$3
  shift 3
  in_group $group "exec python3 -m gpudoctor $*" >/results/$folder/$file 2>/results/$folder/$file.errors
}

mkdir $groups/limited $groups/whole $groups/narrow $groups/free
dmesg -c >/dev/null

say oom
echo 128M >$groups/limited/memory.max
echo 100 >$groups/limited/pids.max
echo "200000 100000" >$groups/limited/cpu.max
job oom limited "crash eat 512"
kernel_log oom
counters limited oom
say oom-local
doctor oom limited local.json explain-exit --json 137
say check
counters limited check
doctor check limited check.json check --json --no-probes --timeout 150
counters limited check/after
# A container may seldom read the kernel's log; then the counters alone have to tell.
say oom-without-log
echo 1 >/proc/sys/kernel/dmesg_restrict
mkdir -p /results/unprivileged
in_group limited "exec python3 -c 'import os, sys; os.setgid(1000); os.setuid(1000); os.execv(sys.executable, [sys.executable, \"-m\", \"gpudoctor\", \"explain-exit\", \"--json\", \"137\"])'" \
  >/results/unprivileged/local.json 2>/results/unprivileged/local.json.errors

say whole-group
echo 64M >$groups/whole/memory.max
echo 1 >$groups/whole/memory.oom.group
mkdir -p /results/whole
sh -c "crash wait & crash wait & echo \$\$ >$groups/whole/cgroup.procs; crash wait & exec crash eat 512" >/results/whole/job.log 2>&1
echo $? >/results/whole/status
kernel_log whole
counters whole whole

say pids
echo 6 >$groups/narrow/pids.max
job pids narrow 'for worker in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo "8 workers started"'
counters narrow pids
kernel_log pids

say signals
for way in segv ill fpe; do
  job $way free "crash $way"
  kernel_log $way
done

for group in whole narrow; do
  for process in $(cat $groups/$group/cgroup.procs); do kill -9 $process; done
done
say whole-machine
job machine free "crash eat 2000"
kernel_log machine

# One file for each line: written to the kernel's log, and read back with its time.
say kernel-lines
while IFS='|' read -r name line; do
  [ -n "$name" ] || continue
  mkdir -p /results/$name
  printf '<3>%s\n' "$line" >/dev/kmsg
  kernel_log $name
done </kernel-lines.txt

say modules
mkdir -p /results/lockdown /results/signature
insmod /modules/nvidia.ko >/results/lockdown/job.log 2>&1
echo $? >/results/lockdown/status
kernel_log lockdown
echo 1 >/sys/module/module/parameters/sig_enforce
insmod /modules/nvidia.ko >/results/signature/job.log 2>&1
echo $? >/results/signature/status
kernel_log signature

say results
stty -F /dev/ttyS1 raw
cd /results && tar czf - . | base64 >/dev/ttyS1
echo --end-- >/dev/ttyS1
say end
sleep 0.2
reboot -f
