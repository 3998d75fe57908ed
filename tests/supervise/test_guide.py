"""What the guide to `run` shows is right: its command lines are understood, its reports are read, its list is whole."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from command import COMMAND, environment, gpudoctor
from gpudoctor.cli import check as check_cli
from gpudoctor.cli import run as run_cli
from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.supervise.options import FLAGS, VALUES, RunSettings, read_quickly

ROOT = Path(__file__).resolve().parents[2]
GUIDE, README = ROOT / "docs" / "black-box.md", ROOT / "README.md"
pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="the documentation lies in the repository only")


def blocks(language: str) -> list[str]:
    """What the guide shows in one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)


def understood(words: list[str]) -> RunSettings:
    """The settings of `gpudoctor run ...`, read in the quick way and by Click alike."""
    assert words[:2] == ["gpudoctor", "run"], words
    settings = read_quickly(words[2:])
    assert settings is not None, words
    assert run_cli.command.make_context("run", words[2:]).params["command"] == settings.command
    return settings


@pytest.mark.parametrize("page", [GUIDE, README], ids=lambda page: page.name)
def test_every_command_line_is_understood(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = [line for line in re.findall(r"gpudoctor run [^`\n]+", text) if "COMMAND" not in line]
    assert shown
    for line in shown:
        assert understood(shlex.split(line)).command[0] in ("torchrun", "srun", "python"), line


def test_the_entrypoint_and_the_health_check() -> None:
    (text,) = blocks("dockerfile")
    lists = dict(re.findall(r"^(\w+)[^\[\n]*(\[.*\])$", text, re.M))
    settings = understood(json.loads(lists["ENTRYPOINT"]) + json.loads(lists["CMD"]))
    assert settings.command == ("python", "train.py")
    name, command, *options = json.loads(lists["HEALTHCHECK"])
    assert (name, command) == ("gpudoctor", "check")
    assert check_cli.command.make_context("check", options)


def test_the_pod() -> None:
    (text,) = blocks("yaml")
    entries = dict(re.findall(r"^(\w+): (.*)$", text, re.M))
    settings = understood(json.loads(entries["command"]) + json.loads(entries["args"]))
    assert (settings.command, settings.report_dir) == (("torchrun", "train.py"), "/reports")


def test_the_batch_script_is_a_script() -> None:
    (script,) = [text for text in blocks("sh") if text.startswith("#!")]
    assert subprocess.run(["bash", "-n"], input=script.encode(), check=True, timeout=60).returncode == 0


def test_all_options_are_listed_and_no_others() -> None:
    rows = re.findall(r"^\| (`--.*?) \|", GUIDE.read_text(encoding="utf-8"), re.M)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    taken = {word for option in run_cli.command.params if isinstance(option, click.Option) for word in option.opts}
    assert listed == {*FLAGS, *VALUES} - {"-v"}
    assert listed == taken - {"-v", "--help"}


@pytest.mark.slow
def test_the_report_is_read_as_shown(tmp_path: Path) -> None:
    (lines,) = [text for text in blocks("sh") if "explain-log" in text]
    (name,) = set(re.findall(r"gpudoctor-crash-\w+\.json", lines))
    assert gpudoctor("run", "--", "sh", "-c", "exit 3", cwd=tmp_path).status == 3
    (report,) = tmp_path.glob("gpudoctor-crash-*.json")
    report.rename(tmp_path / name)
    (tmp_path / "good.json").write_bytes((tmp_path / name).read_bytes())
    env = environment({"PATH": f"{COMMAND.parent}:/usr/bin:/bin"})
    for line in lines.splitlines():
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
        assert done.returncode in (0, 1), (line, done.stderr)
        assert done.stdout, line
        assert b"Traceback" not in done.stderr


def test_the_explanation_has_the_words_of_the_rules() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    shown = re.findall(r"Most likely: (.*) \[([\w.]+), (\w+)\]", text)
    assert shown
    causes = Catalogue(find_rules(()), known_specs())
    for title, cause, likelihood in shown:
        assert causes.cause(cause).title == title
        assert likelihood in ("possible", "likely", "confirmed")
