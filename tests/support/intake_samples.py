"""One small document of every kind, as the tools print them; `<reader>/<what it shows>` -> text."""

from __future__ import annotations

SAMPLES: dict[str, str] = {
    "container_inspect/oom": """[
    {
        "Id": "4f1c",
        "State": {
            "Status": "exited",
            "Running": false,
            "OOMKilled": true,
            "Pid": 0,
            "ExitCode": 137,
            "Error": "",
            "FinishedAt": "2026-11-20T10:11:12Z"
        },
        "RestartCount": 2,
        "HostConfig": {
            "Memory": 536870912,
            "ShmSize": 67108864,
            "Init": true,
            "Runtime": "nvidia",
            "DeviceRequests": null
        }
    }
]
""",
    "container_inspect/never started": """{"State": {"Status": "created", "OOMKilled": false, "ExitCode": 128,
 "Error": "could not select device driver \\"\\" with capabilities: [[gpu]]"}}""",
    "container_inspect/state alone, cut off": """"State": {
  "Status": "exited",
  "OOMKilled": true,
  "ExitCode": 0,
  ...
""",
    "pod/json": """{
 "kind": "Pod",
 "spec": {"containers": [{"name": "train", "resources": {"limits": {"memory": "16Gi", "nvidia.com/gpu": "1"}}}]},
 "status": {
  "phase": "Running",
  "containerStatuses": [
   {"name": "train", "restartCount": 3,
    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}}
  ]
 }
}""",
    "pod/yaml": """apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
  - name: main
    resources:
      limits:
        memory: 8G
status:
  message: 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 48Mi.'
  phase: Failed
  reason: Evicted
""",
    "pod/piece": """containerStatuses:
- lastState:
    terminated:
      exitCode: 1
      message: |
        RuntimeError: CUDA error
        second line
      reason: Error
  restartCount: 7
""",
    "pod_describe/oom": """Name:             train-0
Namespace:        default
Start Time:       Fri, 20 Nov 2026 10:00:00 +0000
Containers:
  main:
    Container ID:  containerd://abc
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
      Started:      Fri, 20 Nov 2026 10:00:00 +0000
      Finished:     Fri, 20 Nov 2026 10:01:00 +0000
    Ready:          False
    Restart Count:  4
    Limits:
      memory:          4Gi
      nvidia.com/gpu:  1
    Requests:
      memory:  1Gi
QoS Class:  Burstable
Events:
  Type     Reason   Age   From     Message
  ----     ------   ----  ----     -------
  Warning  BackOff  1m    kubelet  Back-off restarting failed container
""",
    "events/table": """LAST SEEN   TYPE      REASON             OBJECT        MESSAGE
5m          Warning   FailedScheduling   pod/train-0   0/3 nodes are available: 3 Insufficient nvidia.com/gpu.
2m          Normal    Scheduled          pod/train-0   Successfully assigned default/train-0 to node-1
""",
    "events/described": """Events:
  Type     Reason     Age                From     Message
  ----     ------     ----               ----     -------
  Warning  Unhealthy  3m (x5 over 6m)    kubelet  Liveness probe failed: HTTP probe failed with statuscode: 503
  Normal   Killing    3m (x2 over 6m)    kubelet  Container vllm failed liveness probe, will be restarted
""",
    "events/json": """{"kind": "List", "items": [
 {"kind": "Event", "involvedObject": {"kind": "Pod"}, "reason": "Evicted", "type": "Warning",
  "message": "The node was low on resource: ephemeral-storage."}]}""",
    "slurm/sacct": """JobID           JobName      State ExitCode DerivedExitCode     MaxRSS
------------ ---------- ---------- -------- --------------- ----------
812               train     FAILED      1:0           0:125
812.batch         batch     FAILED      1:0                    100000K
812.0            python OUT_OF_ME+    0:125                  33554432K
""",
    "slurm/sacct -P": """JobID|JobName|State|ExitCode
77|train|FAILED|11:0
77.batch|batch|FAILED|11:0
""",
    "slurm/scontrol": """JobId=91 JobName=train
   JobState=NODE_FAIL Reason=None Dependency=(null)
   ExitCode=0:1 MinMemoryNode=4000M
   TresPerNode=gres:gpu:4
""",
    "kernel_log/oom": """[26002.108918] oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/gd,task_memcg=/gd,task=python3,pid=9
[26002.109061] Memory cgroup out of memory: Killed process 9 (python3) total-vm:1kB, anon-rss:1kB
[26003.000001] python3[812]: segfault at 0 ip 00007f sp 00007f error 4 in libfoo.so[7f0+1000]
""",
    "kernel_log/xid": """[Fri Nov 20 10:11:12 2026] NVRM: Xid (PCI:0000:61:00): 79, pid=1, GPU has fallen off the bus.
[Fri Nov 20 10:11:13 2026] NVRM: Xid (PCI:0000:61:00): 154, GPU recovery action changed
""",
    "kernel_log/machine": "Out of memory: Killed process 4 (python) total-vm:7kB, anon-rss:5kB, oom_score_adj:0\n",
    "cgroup/events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
    "cgroup/control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "cgroup/pids": "pids.events:max 5\n",
    "nvidia_smi/table": """+---------------------------------------------------------------------------------------+
| NVIDIA-SMI 535.104.05             Driver Version: 535.104.05   CUDA Version: 12.2     |
|-----------------------------------------+----------------------+----------------------+
|   0  NVIDIA A100-SXM4-80GB          On  | 00000000:07:00.0 Off |                    0 |
| N/A   31C    P0              62W / 400W |      4MiB / 81920MiB |      0%      Default |
|   1  NVIDIA A100-SXM4-80GB          On  | 00000000:0A:00.0 Off |                    0 |
+-----------------------------------------+----------------------+----------------------+
""",
    "nvidia_smi/list": "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)\n",
    "nvidia_smi/error": "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n",
    "package_list/pip": """Package              Version
-------------------- -----------
numpy                1.26.4
nvidia-cudnn-cu12    8.9.2.26
torch                2.3.1+cu121
torchvision          0.18.1+cu121
""",
    "package_list/freeze": "torch==2.1.0\nnumpy==1.24.1\ntriton==2.1.0\n",
    "package_list/conda": """# packages in environment at /opt/conda:
#
# Name                    Version                   Build  Channel
python                    3.10.13              h955ad1f_0
pytorch                   2.1.2           py3.10_cuda12.1_cudnn8.9.2_0    pytorch
""",
    "elastic_error/file": """{"message": {"message": "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
 "extraInfo": {"py_callstack": "Traceback (most recent call last):\\n  File \\"t.py\\", line 3, in main\\nRuntimeError: CUDA",
  "timestamp": "1700000000"}}}""",
    "core_files/listing": """-rw------- 1 root root 812M Nov 20 10:11 core.812
-rw------- 1 root root 1M Nov 20 10:12 core.python.9
""",
    "core_files/file": "core.812: ELF 64-bit LSB core file, x86-64, version 1 (SYSV), from 'python train.py'\n",
    "core_files/itself": "\x7fELF\x02\x01 and so on",
    "report/ours": """{"schema_version": "1.0", "tool": {"name": "gpudoctor", "version": "0.1"},
 "findings": [{"check": "a", "cause": "driver.not_loaded", "kind": "fail", "message": "The driver is not loaded.",
  "evidence": [{"source": "nvml", "line": 0, "text": "Driver Not Loaded"}]}],
 "facts": {"torch.version": {"value": "2.3.1"}, "gpu.names": {"value": ["A100"]}, "gpu.count": {"unknown": "x"}}}""",
    "notes/mixed": """context: container, k8s
env torch: 1.5.1
env gpu: 2x A100 80GB
docker_inspect run_flags: -it -v /data:/data --shm-size 8g
k8s reason: Evicted
workaround: export NCCL_P2P_DISABLE=1
""",
    "notes/chinese": """退出码：137
显卡：2x A100 80GB
容器内存限制：32G
日志最后一行: Killed
""",
}
