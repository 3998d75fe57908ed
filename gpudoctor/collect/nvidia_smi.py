"""What the nvidia-smi on PATH says, verbatim: people quote it, and its exit code and text are evidence of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpudoctor.collect.base import STAGE_CHILD
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

STAGE = STAGE_CHILD
LIMIT_SECONDS = 10.0
TEXT_LIMIT = 4000
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

FACTS: tuple[FactSpec, ...] = (
    FactSpec("nvidia_smi.path", FactType.TEXT, "The nvidia-smi that a shell would run."),
    FactSpec("nvidia_smi.outcome", FactType.TEXT, "How it ended: ok, failed, crashed, timed_out or not_started."),
    FactSpec("nvidia_smi.exit_code", FactType.INTEGER, "Its exit code."),
    FactSpec("nvidia_smi.text_tail", FactType.TEXT, "The end of what it printed, standard error after output."),
)


def collect(host: Host) -> Iterable[Fact]:
    """Look it up as a shell does, run it once without arguments, and keep what it says."""
    path = find(host)
    if path is None:
        missing = Unknown(Reason.NOT_INSTALLED, "no nvidia-smi on PATH")
        return [Fact(spec.key, missing) for spec in FACTS]
    try:
        end = host.run([path], LIMIT_SECONDS)
    except HostError as error:
        end = ChildEnd(End.NOT_STARTED, errno=error.errno_name, error=error.detail)
    return [Fact("nvidia_smi.path", path), *interpret(end)]


def find(host: Host) -> str | None:
    """The first executable file of that name on PATH."""
    for folder in host.env().get("PATH", DEFAULT_PATH).split(":"):
        path = f"{folder.rstrip('/')}/nvidia-smi" if folder else "nvidia-smi"
        try:
            info = host.stat(path)
        except HostError:
            continue
        if info.kind == "file" and info.mode & 0o111:
            return path
    return None


def interpret(end: ChildEnd) -> Iterator[Fact]:
    """The facts of one run."""
    if end.end is End.EXITED:
        yield Fact("nvidia_smi.outcome", "ok" if end.status == 0 else "failed")
        yield Fact("nvidia_smi.exit_code", end.status)
    else:
        outcome, reason, how = {
            End.SIGNALLED: ("crashed", Reason.CRASHED, f"nvidia-smi died of {end.signal}"),
            End.TIMED_OUT: ("timed_out", Reason.TIMED_OUT, f"nvidia-smi had not ended after {end.seconds:.0f} s"),
            End.NOT_STARTED: ("not_started", Reason.NO_DATA, f"nvidia-smi did not start: {end.error or end.errno}"),
        }[end.end]
        yield Fact("nvidia_smi.outcome", outcome)
        yield Fact("nvidia_smi.exit_code", Unknown(reason, how))
    text = "\n".join(piece.strip() for piece in (end.stdout, end.stderr) if piece.strip())
    yield Fact("nvidia_smi.text_tail", text[-TEXT_LIMIT:] or Unknown(Reason.NO_DATA, "it printed nothing"))
