"""The few numbers that tell what happened to a group of processes, read by hand before anything else is loaded.

The collectors read far more of it, but loading them takes longer than many commands run, and a counter that was
read too late has counted already what it should tell.
"""

from __future__ import annotations

import os

MEMORY_FILES = {
    "1": {"current": "memory.usage_in_bytes", "peak": "memory.max_usage_in_bytes", "events": "memory.oom_control"},
    "2": {"current": "memory.current", "peak": "memory.peak", "events": "memory.events"},
}
SHM = "/dev/shm"
FATAL_LIMITS = ("Max cpu time", "Max file size")
MOST_PIDS = 20_000


def read_text(path: str, limit: int = 65536) -> str:
    """A small file's text; OSError where it cannot be read."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(opened, limit).decode("utf-8", "surrogateescape")
    finally:
        os.close(opened)


def _number(path: str) -> int | None:
    try:
        return int(read_text(path))
    except (OSError, ValueError):
        return None


def _keyed(path: str) -> dict[str, int]:
    try:
        pairs = [line.split() for line in read_text(path).splitlines()]
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
    except (OSError, ValueError):
        return {}


class Groups:
    """The control groups of this process: where the files of each controller lie, from its own group upwards."""

    def __init__(self) -> None:
        self.version, self.memory = self._folders("memory")
        _, self.pids = self._folders("pids")

    @staticmethod
    def _folders(controller: str) -> tuple[str, tuple[str, ...]]:
        try:
            groups = [line.split(":", 2) for line in read_text("/proc/self/cgroup").splitlines()]
            mounts = [line.split(" ") for line in read_text("/proc/self/mountinfo", 1 << 20).splitlines()]
        except OSError:
            return "", ()
        for number, controllers, path in (group for group in groups if len(group) == 3):
            first = controller in controllers.split(",")
            if not first and (number != "0" or controllers):
                continue
            for mount in mounts:
                kind = mount[mount.index("-") + 1] if "-" in mount else ""
                if kind != ("cgroup" if first else "cgroup2") or (first and controller not in mount[-1].split(",")):
                    continue
                root, point = mount[3], mount[4]
                inside = path[len(root) :] if root != "/" and (path + "/").startswith(root + "/") else path
                own = os.path.normpath(point + "/" + inside)
                own = own if own.startswith(point) and os.path.isdir(own) else point
                file = "memory.oom_control" if first else "memory.events"
                if controller == "memory" and not os.path.exists(f"{own}/{file}"):
                    continue
                folders = [own]
                while folders[-1] != point and len(folders) < 24:
                    folders.append(os.path.dirname(folders[-1]))
                return "1" if first else "2", tuple(folders)
        return "", ()

    def counters(self) -> dict[str, int]:
        """`oom_kill`, `pids_refused`, `memory_bytes` and `memory_peak_bytes`, as far as they can be read."""
        found: dict[str, int] = {}
        if self.memory:
            names = MEMORY_FILES[self.version]
            kills = _keyed(f"{self.memory[0]}/{names['events']}").get("oom_kill")
            if kills is not None:
                found["oom_kill"] = kills
            for key, name in (("memory_bytes", "current"), ("memory_peak_bytes", "peak")):
                value = _number(f"{self.memory[0]}/{names[name]}")
                if value is not None:
                    found[key] = value
        if self.pids:
            refused = _keyed(f"{self.pids[0]}/pids.events").get("max")
            if refused is not None:
                found["pids_refused"] = refused
        return found

    def memory_bytes(self) -> int | None:
        """What the group uses now."""
        return _number(f"{self.memory[0]}/{MEMORY_FILES[self.version]['current']}") if self.memory else None


def limits_of(pid: int) -> list[str]:
    """The limits that end a process which reaches them, as /proc/PID/limits has them; those that limit nothing left
    out. They can be read until the process has been waited for, so that those it set itself are among them."""
    try:
        lines = read_text(f"/proc/{pid}/limits").splitlines()
    except OSError:
        return []
    return [line.rstrip() for line in lines if line.startswith(FATAL_LIMITS) and line.split()[3:4] != ["unlimited"]]


def shm_used_bytes() -> int | None:
    """What is used of /dev/shm; None where there is none."""
    try:
        state = os.statvfs(SHM)
    except OSError:
        return None
    return (state.f_blocks - state.f_bfree) * state.f_frsize


def tree_resident_bytes(root: int, pids: set[int], most: int = 4096) -> int:
    """The resident memory of a process and its descendants together; shared pages count once for each.

    Their process ids are added to `pids`.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    total, queue, seen = 0, [root], 0
    while queue and seen < most:
        pid = queue.pop()
        seen += 1
        if len(pids) < MOST_PIDS:
            pids.add(pid)
        try:
            total += int(read_text(f"/proc/{pid}/statm", 256).split()[1]) * page
            for task in os.listdir(f"/proc/{pid}/task")[:most]:
                queue += [int(child) for child in read_text(f"/proc/{pid}/task/{task}/children").split()]
        except (OSError, ValueError, IndexError):
            continue
    return total
