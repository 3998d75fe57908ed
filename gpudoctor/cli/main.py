"""The `gpudoctor` command: a group that imports a command's module only when that command is called,
and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence

import click

from gpudoctor._version import VERSION
from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.output import report_failure, silence_stdout
from gpudoctor.model.errors import ExaminationError, GpudoctorError, RulesError, UsageError

# One line registers a command: its name, its module, and what `--help` says of it.
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("gpudoctor.cli.check", "Examine this environment: can it train, and if not, why and what mends it."),
    "run": ("gpudoctor.cli.run", "Run a command unchanged, and say why it failed when it does."),
    "explain-exit": ("gpudoctor.cli.explain_exit", "Explain how a job ended: 137, -11, SIGSEGV, OOMKilled ..."),
    "explain-log": ("gpudoctor.cli.explain_log", "Explain why a job failed, from its log and other evidence."),
    "explain": ("gpudoctor.cli.explain_id", "Look up a cause, a check, an exit code, an Xid or a CUDA error."),
    "wheel": ("gpudoctor.cli.wheel", "Say which official build of PyTorch to install here, or on a described machine."),
    "ring": ("gpudoctor.cli.ring", "Run the ring of a job across machines, under torchrun, srun or mpirun."),
    "diff": ("gpudoctor.cli.diff", "Compare two machines, reports or pasted dumps: what differs and can matter."),
    "facts": ("gpudoctor.cli.facts", "Show every fact that was read, or record this machine for others."),
    "probe": ("gpudoctor.cli.probe", "Prove by doing: matrix products, convolutions and more, here and now."),
    "rules": ("gpudoctor.cli.rules", "List, show and lint the rules that judge."),
}

NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
NO_MEMORY = (
    "gpudoctor itself got no more memory, so nothing was judged. A limit on this process (`ulimit -v`) or on its "
    "container is too low even for it; the same limit would end an import of torch."
)


class LazyGroup(click.Group):
    """A group whose commands are modules that define `command`; `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the registration."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = importlib.import_module(entry[0]).command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click does it, with a hint when the name is close to one of ours."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the registration, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-V", "--version", message="gpudoctor %(version)s")
def group() -> None:
    """Tells whether a PyTorch/CUDA environment can train, what is wrong if not, and why a job died.

    Start with `gpudoctor check`; after a crash, `gpudoctor explain-exit CODE`.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; every outcome, errors included, is an exit code of `Exit`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = group.main(args=given, prog_name="gpudoctor", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(result) if isinstance(result, int) else int(Exit.JUDGED)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        return report_failure(given, Exit.USAGE, error.format_message(), _usage_line(error))
    except UsageError as error:
        return report_failure(given, Exit.USAGE, str(error))
    except (ExaminationError, RulesError) as error:
        return report_failure(given, _code_of(error, given), str(error))
    except GpudoctorError as error:
        return report_failure(given, Exit.INTERNAL, str(error))
    except (KeyboardInterrupt, click.Abort):
        return report_failure(given, Exit.INTERRUPTED, "Interrupted; nothing was left running.")
    except BrokenPipeError:
        # The reader has seen enough (`| head -1`); that is no failure of ours, and no verdict either.
        silence_stdout()
        return int(Exit.JUDGED)
    except MemoryError:
        return report_failure(given, Exit.NOT_EXAMINED, NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - the last boundary: a bug of ours must read as one, not as a verdict
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return report_failure(given, Exit.NOT_EXAMINED, f"The system gives gpudoctor no room to work: {error}.")
        return report_failure(given, Exit.INTERNAL, _bug_text(error))


def _code_of(error: GpudoctorError, given: Sequence[str]) -> Exit:
    if isinstance(error, ExaminationError):
        return Exit.NOT_EXAMINED
    # Broken rules that the user added are the user's to mend; broken rules of ours are our bug.
    added = any(argument == "--rules" or argument.startswith("--rules=") for argument in given)
    return Exit.USAGE if added else Exit.INTERNAL


def _usage_line(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"Try '{context.command_path} --help'." if context is not None else ""


def _bug_text(error: Exception) -> str:
    import traceback

    from gpudoctor.cli.process import broken_text, shadowing_modules

    shadows = shadowing_modules(error)
    if shadows:
        return broken_text(error, shadows)
    frames = traceback.extract_tb(error.__traceback__)
    place = ""
    for frame in frames:
        if "gpudoctor" in frame.filename:
            place = f" at {frame.filename.rpartition('gpudoctor')[2].lstrip('/')}:{frame.lineno} in {frame.name}"
    return (
        f"gpudoctor itself failed, and nothing was judged: {type(error).__name__}: {error}{place}. "
        "This is our bug; please report it with this line and the command that you ran."
    )
