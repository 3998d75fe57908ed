"""`gpudoctor wheel`: which official build of PyTorch to install on this machine, or on one that is described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, output_option, timeout_option
from gpudoctor.cli.output import output_stream
from gpudoctor.cli.progress import progress_line
from gpudoctor.cli.wheel_text import answer_text
from gpudoctor.knowledge import builds, wheel, wheel_question
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.knowledge.tables import Tables
from gpudoctor.knowledge.wheel_question import Given, Pair, Question
from gpudoctor.model.errors import UsageError
from gpudoctor.model.fact import Facts
from gpudoctor.model.record import record, replace
from gpudoctor.model.version import Version

SECONDS = 60.0
NEWEST_OF_BRANCH = 999


@record
class Answer:
    """Everything that the text and the JSON tell."""

    question: Question
    choice: wheel.WheelChoice
    pair: Pair | None
    newest: str


@click.command("wheel", short_help="Which torch to install.")
@click.option("--driver", metavar="VERSION", help="The NVIDIA driver, or its branch: 535.104, 535.")
@click.option("--gpu", "gpus", multiple=True, metavar="NAME", help="A GPU by name or compute capability (repeatable).")
@click.option("--python", metavar="VERSION", help="A Python version, or the path of an interpreter to ask.")
@click.option("--torch", metavar="VERSION", help="The release to stay within, as in 2.8 (default: the newest).")
@click.option("--cuda", metavar="VERSION", help="The CUDA version to stay with, as in 12.8, or cpu.")
@click.option("--glibc", metavar="VERSION", help="The C library of the system (default: this machine's).")
@click.option(
    "--platform",
    type=click.Choice(list(wheel_question.PLATFORMS)),
    help="What the wheel is for (default: this machine).",
)
@click.option("--from", "source", metavar="DIR", help="Take what is not given from a recorded machine.")
@json_option
@output_option
@timeout_option
@click.option("--verbose", "-v", is_flag=True, help="Show every rejected build, not only the newer ones.")
def command(**given: Any) -> int:
    """Say which official build of PyTorch to install, with the commands, and why none of the newer ones.

    What is not given is found here. With driver, GPU and Python given nothing is looked at, so it works on any machine
    and without a network. Exit code 0: there is a build. 1: there is none, and every reason is shown.
    """
    tables = Catalogue(find_rules()).tables
    asked, interpreter = read_options(given, tables)
    facts = None if asked.tells_all and not given["source"] else _look(given, interpreter)
    answer = answer_of(wheel_question.question(asked, facts, tables), tables)
    with output_stream(given["output"]) as out:
        if given["as_json"]:
            out.write(json.dumps(document(answer), indent=2) + "\n")
        else:
            out.write(answer_text(answer.question, answer.choice, answer.pair, answer.newest, verbose=given["verbose"]))
    return int(Exit.JUDGED if answer.choice.best is not None else Exit.FINDINGS)


def read_options(given: dict[str, Any], tables: Tables) -> tuple[Given, str]:
    """The options as a question, and the interpreter to ask where `--python` is a path; UsageError says what is off."""
    python, interpreter = given["python"] or "", ""
    if "/" in python or "\\" in python:
        python, interpreter = "", python
    torch = given["torch"] or ""
    if torch:
        _version("--torch", torch, "2.8 or 2.8.0")
    driver = _version("--driver", given["driver"], "535.104.05")
    if driver is not None and len(driver.numbers) == 1:
        # People name the branch and mean its newest driver, which is what package managers install.
        driver = replace(driver, numbers=(*driver.numbers, NEWEST_OF_BRANCH))
    asked = Given(
        driver=driver,
        gpus=tuple(wheel_question.gpu_named(name, tables) for name in given["gpus"]),
        python=_version("--python", python, "3.12"),
        glibc=_version("--glibc", given["glibc"], "2.35"),
        torch=torch,
        variant=wheel_question.variant_named(given["cuda"]) if given["cuda"] else "",
        platform=given["platform"] or "",
    )
    if "+" in torch:
        release, _, label = torch.partition("+")
        asked = replace(asked, torch=release, variant=asked.variant or wheel_question.variant_named(label))
    return asked, interpreter


def _version(option: str, text: str | None, example: str) -> Version | None:
    if not text:
        return None
    try:
        return Version.parse(text)
    except ValueError:
        raise UsageError(f"{option} takes a version such as {example}, not {text[:40]!r}.") from None


def _look(given: dict[str, Any], interpreter: str) -> Facts:
    from gpudoctor.diagnose import CheckSettings, see

    settings = CheckSettings(
        python=interpreter, probes="none", timeout=given["timeout"] or SECONDS, source=given["source"] or ""
    )
    if given["source"] and not Path(given["source"]).is_dir():
        raise UsageError(f"{given['source']} is not the folder of a recorded machine.")
    with progress_line(quiet=given["as_json"]) as progress:
        return see(settings, progress)[0]


def answer_of(question: Question, tables: Tables) -> Answer:
    """Choose, and judge the pair where a release and a CUDA version were asked for together."""
    newest = builds.newest_release(tables)
    pair = wheel_question.pair_of(question.wanted, tables)
    return Answer(question, wheel.choose(question.wanted, tables), pair, str(newest or ""))


def document(answer: Answer) -> dict[str, Any]:
    """The answer as plain data."""
    wanted, has_torch = answer.question.wanted, answer.question.has_torch
    best = answer.choice.best
    found: dict[str, Any] = {
        "schema_version": "1.0",
        "asked": {
            "driver": str(wanted.driver or wanted.driver_cuda or "") or None,
            "gpus": [{"name": gpu.name, "compute_capability": str(gpu.capability)} for gpu in wanted.gpus],
            "python": str(wanted.python) if wanted.python else None,
            "glibc": str(wanted.glibc) if wanted.glibc else None,
            "platform": wanted.platform,
            "torch": wanted.torch or None,
            "variant": wanted.variant or None,
            "sources": dict(answer.question.sources),
        },
        "best": _build(best, has_torch) if best is not None else None,
        "alternatives": [_build(item, has_torch) for item in answer.choice.alternatives],
        "rejected": [
            {"torch": item.torch, "variant": item.variant, "reason": item.reason} for item in answer.choice.rejected
        ],
        "pair": None,
        "remark": answer.question.remark,
    }
    if answer.pair is not None:
        found["pair"] = {
            "torch": answer.pair.torch,
            "variant": answer.pair.variant,
            "verdict": answer.pair.verdict,
            "published_variants": list(answer.pair.published),
            "releases_of_variant": list(answer.pair.releases),
            "nearest": [_build(item, has_torch) for item in answer.pair.nearest],
        }
    return found


def _build(item: wheel.Wheel, has_torch: bool) -> dict[str, Any]:
    first = wheel.REMOVE_FIRST if has_torch else ""
    return {
        "torch": item.torch,
        "variant": item.variant,
        "cuda": item.cuda or None,
        "torchvision": item.torchvision or None,
        "torchaudio": item.torchaudio or None,
        "left_out": item.left_out or None,
        "min_driver": item.min_driver or None,
        "index_url": item.index_url,
        "commands": [first + item.pip_command, item.uv_command],
        "doubt": item.doubt,
    }
