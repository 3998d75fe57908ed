"""The program that the target interpreter runs: it looks at itself, its packages and its torch, and says what it sees.

It exists because a torch that crashes on import must take nobody with it, and because the torch that counts is the
one of the user's interpreter. Every answer is one JSON line, written before the next step starts, so that whatever
happens later cannot unsay it. This file keeps to the grammar of Python 3.5, so that an interpreter which is too old
can still say how old it is; the files beside it may use 3.8 and are loaded only after that.
"""

import json
import os
import sys
import time

STARTED = time.monotonic()
OLDEST = (3, 8)
HERE = os.path.dirname(os.path.abspath(__file__))
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load(path: str) -> "Any":
    """Run one of our files as a module that `import` cannot find: no name of ours may stand before the user's."""
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    if not os.path.isabs(path):
        path = os.path.join(HERE, path)
    name = "gpudoctor_script_" + os.path.basename(path)[: -len(".py")]
    module = ModuleType(name)
    module.__file__ = path
    SourceFileLoader(name, path).exec_module(module)
    return module


def plain(value: "Any") -> "Any":
    """The same value with text that every encoder takes: lone surrogates, which come from garbage bytes in names."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class Wire:
    """Writes result lines to an inherited file descriptor, each whole and at once."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def emit(self, line: "Any") -> None:
        """Write one line. When nobody can be told any more there is nothing left to do: the process ends."""
        try:
            data = json.dumps(line, ensure_ascii=False, default=repr).encode("utf-8")
        except UnicodeError:
            data = json.dumps(plain(line), ensure_ascii=False, default=repr).encode("utf-8")
        data += b"\n"
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            os._exit(70)


def read_plan(descriptor: int) -> "Any":
    """The plan: JSON in an inherited file, or in a pipe."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        pass  # a pipe has no beginning to go back to
    pieces = []
    while True:
        piece = os.read(descriptor, 65536)
        if not piece:
            break
        pieces.append(piece)
    os.close(descriptor)
    return json.loads(b"".join(pieces).decode("utf-8") or "{}")


def user_path(plan: "Any") -> None:
    """Give `sys.path` the first entry that the user's own programs have: the working directory, not our folder."""
    if sys.path and os.path.abspath(sys.path[0]) == HERE:
        del sys.path[0]
    if plan.get("working_directory_on_path", True) and not getattr(sys.flags, "safe_path", False):
        try:
            sys.path.insert(0, os.getcwd())
        except OSError:
            pass  # the working directory was removed


def guarded(wire: "Any", step: str, work: "Any") -> "Any":
    """Do one step; what it raises becomes its line, and the next step goes on."""
    try:
        found = work()
    except Exception as error:
        wire.emit({"step": step, "outcome": "failed", "error": "%s: %s" % (type(error).__name__, error)})
        return None
    line = {"step": step, "outcome": "completed"}
    line.update(found)
    wire.emit(line)
    return found


def examine(wire: "Any", plan: "Any") -> None:
    """All steps in their order."""
    guarded(wire, "interpreter", load("interpreter_facts.py").look)
    scanned = guarded(wire, "packages", load("package_scan.py").scan)
    finder = load("torch_files.py")
    found = guarded(wire, "torch_files", lambda: finder.look(scanned or {}))
    if not plan.get("import_torch", True) or not found or not found.get("importable"):
        return
    importer = load("torch_load.py")
    torch = importer.import_torch(wire.emit, plan)
    libraries = load("loaded_libraries.py")
    guarded(wire, "libraries", libraries.look)
    if torch is None:
        return
    guarded(wire, "torch_build", lambda: importer.build_facts(torch))
    groups = load("forked_groups.py")
    ends = {}

    def emit(line: "Any") -> None:
        if line.get("outcome", "started") != "started":
            ends[line.get("step")] = line["outcome"]
        wire.emit(line)

    for group in plan.get("groups", []):
        unmet = [name for name in group.get("needs", []) if ends.get(name, "completed") != "completed"]
        if unmet:
            groups.tell_rest(group["steps"], wire.emit, {"outcome": "blocked", "blocked_by": unmet[0]})
            continue
        for step in group["steps"]:
            if step.get("folder") and plan.get("folder"):
                step.setdefault("options", {})["folder"] = os.path.join(plan["folder"], step["name"])
        groups.run_group(torch, group, STARTED + plan.get("deadline_s", 60.0), emit, load, libraries.look)


def main() -> None:
    """Read the plan, do the steps, and leave without running anybody's exit handlers."""
    wire = Wire(int(sys.argv[1]))
    os.set_inheritable(wire.descriptor, False)
    plan = read_plan(int(sys.argv[2]))
    user_path(plan)
    if sys.version_info[:2] < OLDEST:
        version = ".".join(str(part) for part in sys.version_info[:3])
        wire.emit({"step": "interpreter", "outcome": "too_old", "version": version, "executable": sys.executable})
        os._exit(0)
    examine(wire, plan)
    wire.emit({"step": "end"})
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed, or replaced by something that foreign code made
    os._exit(0)


if __name__ == "__main__":
    main()
