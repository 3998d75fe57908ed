"""Starting the target's child: the plan it follows, the limits it gets, and the questions when it is no Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.record import field, record
from gpudoctor.probe.answers import first_line, said
from gpudoctor.probe.target import Choice

CHILD = "target"
SCRIPTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "scripts")
RESERVE_S = 1.5
LEAST_S = 1.0
RUNTIME_STEP_S = 20.0
# No more processes, memory or files: that says nothing about the interpreter.
NO_ROOM = ("EAGAIN", "ENOMEM", "EMFILE", "ENFILE")


@record
class Step:
    """One step file of `scripts/`: `name` is its part after `step_`. A group stops at a `needed` step that fails.
    `folder`: its options shall name an empty folder, which is gone when the child has ended."""

    name: str
    limit_s: float = RUNTIME_STEP_S
    needed: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: bool = False


@record
class Group:
    """Steps that share one forked child. With `libraries` the files mapped after each step are told; with
    `fresh_after_failure` what follows a failed step gets a new child, because an error can spoil a CUDA context.
    `needs` are steps of groups before it: where one of them crashed or hung, all of this would only do so again."""

    name: str
    steps: Sequence[Step]
    libraries: bool = False
    fresh_after_failure: bool = False
    needs: tuple[str, ...] = ()


RUNTIME = Group("runtime", (Step("build", limit_s=10.0), Step("cuda")), libraries=True)


def plan_for(seconds: float, import_torch: bool, groups: Sequence[Group]) -> dict[str, Any]:
    """The plan as the harness reads it; `seconds` is what the child may take as a whole."""
    plan: dict[str, Any] = {
        "format": 1,
        "import_torch": import_torch,
        "working_directory_on_path": True,
        "deadline_s": max(0.5, seconds - 1.0),
        "stack_after_s": max(0.3, seconds - 1.0),
        "groups": [
            {
                "name": group.name,
                "libraries": group.libraries,
                "fresh_after_failure": group.fresh_after_failure,
                "needs": list(group.needs),
                "steps": [
                    {
                        "name": step.name,
                        "file": os.path.join(SCRIPTS, f"step_{step.name}.py"),
                        "limit_s": step.limit_s,
                        "needed": step.needed,
                        "options": dict(step.options),
                        **({"folder": True} if step.folder else {}),
                    }
                    for step in group.steps
                ],
            }
            for group in groups
        ],
    }
    if any(step.folder for group in groups for step in group.steps):
        plan["folder"] = ""  # whoever starts the child makes it, and takes it away again
    return plan


def start(host: Host, choice: Choice, import_torch: bool, groups: Sequence[Group]) -> tuple[ChildEnd, dict[str, Any]]:
    """Run the child to its end. Raises ExaminationError when an interpreter that was asked for is none."""
    seconds = max(LEAST_S, host.remaining() - RESERVE_S)
    plan = plan_for(seconds, import_torch, groups)
    # Asked even where none was found: a recorded machine answers without one.
    interpreter = choice.interpreter or "python3"
    try:
        end = host.run_script(CHILD, interpreter, os.path.join(SCRIPTS, "harness.py"), plan, seconds)
    except HostError as error:
        return ChildEnd(End.NOT_STARTED, errno=error.errno_name, error=error.detail), plan
    if choice.given and not said(end, "interpreter"):
        refuse(choice.interpreter, end)
    return end, plan


def refuse(interpreter: str, end: ChildEnd) -> None:
    """Raise ExaminationError for a given interpreter that said nothing; one that hangs is a fact, not a misuse, and so
    is a machine that lets nothing start."""
    if end.end is End.TIMED_OUT or end.errno in NO_ROOM:
        return
    said_instead = first_line(end.stderr) or first_line(end.stdout) or end.error
    if end.end is End.SIGNALLED:
        how = f"it was ended by {end.signal}"
    elif end.end is End.NOT_STARTED:
        how = "it could not be started"
    else:
        how = f"it ended with status {end.status}"
    quoted = f" and said: {said_instead}" if said_instead else ""
    raise ExaminationError(
        f"{interpreter} did not act as a Python 3 interpreter: {how}{quoted}. Give one of Python 3.8 or newer."
    )
