"""The console script's door. A bare question, `explain-exit CODE` or `explain ID`, is answered without Click, and the
command of `run` is started before Click or anything else is loaded.

Whoever looks up an exit code wants a man page's speed, and loading Click costs as much as the whole answer. Everything
else, and every question that has no plain answer, goes the full way, which also tells what was wrong with it.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpudoctor.model.errors import GpudoctorError

if TYPE_CHECKING:
    from gpudoctor.supervise.record import Record

PLAIN_WORD = re.compile(r"[A-Za-z0-9_][\w.:+ -]*|-\d{1,10}")


def main() -> None:
    """The `gpudoctor` command."""
    try:
        if sys.argv[1:2] == ["run"]:
            run_quickly(sys.argv[2:])
        code = _answered(sys.argv[1:])
        gc.freeze()  # else Python looks for garbage in all that was read before it gives everything back anyway
        sys.exit(code)
    except Exception as error:  # noqa: BLE001 - what breaks here broke before or outside all error handling
        from gpudoctor.cli.process import tell_broken

        sys.exit(tell_broken(error))


def _answered(arguments: Sequence[str]) -> int:
    text = quick_answer(arguments)
    if text is None:
        from gpudoctor.cli.process import make_fit

        make_fit()
        from gpudoctor.cli.main import run

        return run(arguments)
    from gpudoctor.cli.output import write_out

    write_out(text)
    return 0


def run_quickly(arguments: Sequence[str]) -> None:
    """Become the supervisor of a command; comes back only where Click has to help with the command line."""
    from gpudoctor.supervise.options import read_quickly

    settings = read_quickly(arguments)
    if settings is not None:
        from gpudoctor.supervise.begin import supervise

        supervise(settings, _aftermath)


def _aftermath(record: Record) -> None:
    from gpudoctor.cli.aftermath import tell

    tell(record)


def quick_answer(arguments: Sequence[str]) -> str | None:
    """The page for a bare question; None where the full way has to answer."""
    if len(arguments) != 2 or not PLAIN_WORD.fullmatch(arguments[1]):
        return None
    gc.disable()  # nothing lives long enough to be collected, and looking for it is a tenth of the time
    try:
        if arguments[0] == "explain-exit":
            return _exit_answer(arguments[1])
        if arguments[0] == "explain":
            from gpudoctor.cli.pages import look_up

            return look_up(arguments[1], no_color=False)
    except (GpudoctorError, KeyboardInterrupt):
        pass
    gc.enable()
    return None


def _exit_answer(code: str) -> str | None:
    from gpudoctor.cli.pages import style
    from gpudoctor.explain import ExplainSettings, explain_exit
    from gpudoctor.model.explanation import Verdict
    from gpudoctor.report.explain_text import render

    explained = explain_exit(ExplainSettings(status=code))
    return None if explained.verdict is Verdict.UNEXPLAINED else render(explained, **style(no_color=False))
