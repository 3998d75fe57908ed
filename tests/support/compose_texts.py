"""The texts of /proc, /sys and /etc that every composed machine has, GPU or not, as Linux and container engines write
them."""

from __future__ import annotations

GIB = 1024**3
HOST_NAME = "trainer-0"
LIMITS = (
    ("Max cpu time", "unlimited", "unlimited", "seconds"),
    ("Max file size", "unlimited", "unlimited", "bytes"),
    ("Max data size", "unlimited", "unlimited", "bytes"),
    ("Max stack size", "8388608", "unlimited", "bytes"),
    ("Max core file size", "0", "unlimited", "bytes"),
    ("Max resident set", "unlimited", "unlimited", "bytes"),
    ("Max processes", "unlimited", "unlimited", "processes"),
    ("Max open files", "1048576", "1048576", "files"),
    ("Max locked memory", "unlimited", "unlimited", "bytes"),
    ("Max address space", "unlimited", "unlimited", "bytes"),
)
FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.17.0.0/16 2 0 2
        |-- 172.17.0.2
           /32 host LOCAL
Local:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.17.0.2
        /32 host LOCAL
"""
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
SOCKETS = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LOOPBACK_SIX = "00000000000000000000000000000001 01 80 10 80       lo\n"
STATUS = """Name:\tpython
Uid:\t{uid}\t{uid}\t{uid}\t{uid}
Gid:\t{uid}\t{uid}\t{uid}\t{uid}
Groups:\t{uid}
CapEff:\t{capabilities}
CapBnd:\t{capabilities}
NoNewPrivs:\t0
Seccomp:\t{seccomp}
Cpus_allowed_list:\t0-{last}
Mems_allowed_list:\t0
"""
CPU = """processor\t: {number}
model name\t: AMD EPYC 9354 32-Core Processor
physical id\t: 0
flags\t\t: fpu sse4_2 avx avx2 fma f16c avx512f{more}

"""
ARM_CPU = """processor\t: {number}
BogoMIPS\t: 2000.00
Features\t: fp asimd evtstrm aes crc32 sve
CPU implementer\t: 0x41

"""


def of_kernel(cpus: int, memory_gib: int, kernel: str, arm: bool, hypervisor: bool) -> dict[str, str]:
    """What the kernel shows of the machine."""
    total = memory_gib * GIB // 1024
    cpu = ARM_CPU if arm else CPU
    return {
        "/proc/meminfo": f"MemTotal:       {total} kB\nMemFree:        {total // 2} kB\n"
        f"MemAvailable:   {total * 9 // 10} kB\nSwapTotal:      0 kB\nSwapFree:       0 kB\nHugePages_Total:       0\n",
        "/proc/cpuinfo": "".join(
            cpu.format(number=number, more=" hypervisor" if hypervisor else "") for number in range(min(cpus, 4))
        ),
        "/proc/sys/vm/overcommit_memory": "0\n",
        "/proc/sys/vm/max_map_count": "65530\n",
        "/proc/sys/kernel/core_pattern": "core\n",
        "/proc/cmdline": f"BOOT_IMAGE=/vmlinuz-{kernel} root=/dev/sda1 ro\n",
        "/proc/devices": "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n  8 sd\n259 blkext\n",
        "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "/sys/devices/system/node/node0/cpulist": f"0-{cpus - 1}\n",
        "/sys/class/dmi/id/sys_vendor": "Supermicro\n",
        "/sys/class/dmi/id/product_name": "AS-4125GS\n",
    }


def of_process(cpus: int, in_container: bool, env: dict[str, str]) -> dict[str, str]:
    """What the kernel shows of this process and of process 1."""
    rows = "".join(f"{name:<26}{soft:<21}{hard:<21}{unit}\n" for name, soft, hard, unit in LIMITS)
    status = STATUS.format(
        uid=0 if in_container else 1000,
        capabilities="00000000a80425fb" if in_container else "0000000000000000",
        seccomp=2 if in_container else 0,
        last=cpus - 1,
    )
    files = {
        "/proc/self/status": status,
        "/proc/self/limits": f"{'Limit':<26}{'Soft Limit':<21}{'Hard Limit':<21}Units\n{rows}",
        "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/self/attr/current": "docker-default (enforce)\n" if in_container else "unconfined\n",
        "/proc/1/comm": "tini\n" if in_container else "systemd\n",
        "/proc/1/cmdline": "tini\0--\0bash\0" if in_container else "/sbin/init\0",
    }
    if in_container:
        files["/proc/1/environ"] = "".join(f"{name}={value}\0" for name, value in sorted(env.items()))
    return files


def of_network() -> dict[str, str]:
    """Loopback and one interface, with a name for this host."""
    return {
        "/etc/hosts": f"127.0.0.1\tlocalhost\n172.17.0.2\t{HOST_NAME}\n",
        "/etc/resolv.conf": "nameserver 10.0.0.2\n",
        "/proc/net/route": ROUTES,
        "/proc/net/fib_trie": FIB_TRIE,
        "/proc/net/if_inet6": LOOPBACK_SIX,
        "/proc/net/tcp": SOCKETS,
        "/proc/net/tcp6": SOCKETS,
        "/sys/class/net/lo/operstate": "unknown\n",
        "/sys/class/net/lo/mtu": "65536\n",
        "/sys/class/net/eth0/operstate": "up\n",
        "/sys/class/net/eth0/mtu": "1500\n",
        "/sys/class/net/eth0/speed": "10000\n",
    }
