"""No secret and no identity leaves in anything that is meant to be shared: sixty kinds of them are planted in every
place that is read, and every output is searched for each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

import fake_torch
import planted
from command import gpudoctor
from fake_driver import FakeDriver

pytestmark = pytest.mark.rig

EVERYTHING = planted.everything()
SENTENCES = [one.sentence for one in EVERYTHING]
# Places where a whole text is told, and so everything at once fits in.
TEXT = "\n".join(SENTENCES)
LINE = " | ".join(SENTENCES)
SHARED = (["check", "--json"], ["check", "--markdown"], ["check", "--redact", "-v"], ["facts", "--json"])


def leaks(data: bytes) -> list[str]:
    return [one.kind for one in EVERYTHING if any(form in data for form in one.forms())]


def test_there_are_sixty_kinds_and_all_differ() -> None:
    assert len(EVERYTHING) >= 60
    assert len({one.hidden for one in EVERYTHING}) == len(EVERYTHING)
    assert leaks(TEXT.encode()) == [one.kind for one in EVERYTHING]


@pytest.fixture(scope="module")
def surroundings(fake_driver: FakeDriver, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """An environment in which everything that is read on a live machine holds them."""
    home = tmp_path_factory.mktemp("sick") / "home" / planted.USER
    packages = home / "packages"
    error = f"import sys, warnings\nprint({TEXT!r})\nprint({TEXT!r}, file=sys.stderr)\nwarnings.warn({LINE!r})\n"
    fake_torch.write(packages, error + f"raise ImportError({LINE!r})")
    info = fake_torch.write_metadata(
        packages,
        "accelerate",
        "1.0",
        f"Metadata-Version: 2.1\nName: accelerate\nVersion: 1.0\nSummary: {LINE}\nAuthor: {LINE}\n"
        f"Requires-Dist: torch @ {SENTENCES[len(SENTENCES) // 2]}\n\n{TEXT}\n",
    )
    (info / "direct_url.json").write_text(json.dumps({"url": f"https://bot:{planted.WORD}u@git.example.org/x"}))
    told = SENTENCES[::6]
    gpus = {f"gpu{number}.name": sentence for number, sentence in enumerate(told) if ";" not in sentence}
    own = {one.kind: one.hidden for one in EVERYTHING}
    driver = {
        "gpus": len(told),
        "gpu0.uuid": "GPU-" + own["GPU's UUID"],
        "gpu0.serial": own["serial"],
        **gpus,
    }
    env: dict[str, str | None] = dict(fake_driver.env(driver))
    env.update({f"NCCL_PLANTED_{number}": sentence for number, sentence in enumerate(SENTENCES)})
    env.update(
        PYTHONPATH=str(packages),
        HOME=str(home),
        USER=planted.USER,
        LOGNAME=planted.USER,
        HOSTNAME=planted.HOST,
        MASTER_ADDR=planted.HOST,
        HF_TOKEN=EVERYTHING[0].hidden,
        HF_ENDPOINT=next(one.sentence for one in EVERYTHING if one.kind == "password in a URL"),
        HTTPS_PROXY=f"http://carrier:p{planted.WORD}@proxy:3128",
        NVIDIA_VISIBLE_DEVICES="GPU-5d2c1b0a-1111-2222-3333-9f8e7d6c5b4a",
        LD_PRELOAD=f"/home/{planted.USER}/lib/hook.so",
    )
    return env


@pytest.mark.parametrize("arguments", SHARED, ids=" ".join)
def test_reports_of_a_live_machine(surroundings: dict[str, str | None], bare_python: str, arguments: list[str]) -> None:
    ended = gpudoctor(*arguments, "--python", bare_python, env=surroundings)
    assert ended.status in (0, 1), ended.errors
    assert len(ended.stdout) > 2000
    assert leaks(ended.stdout) == []
    assert leaks(ended.stderr.replace(os.fsencode(surroundings["LD_PRELOAD"] or ""), b"")) == []


def test_that_they_were_seen_at_all(surroundings: dict[str, str | None], bare_python: str) -> None:
    open_report = gpudoctor("check", "--json", "--no-redact", "--python", bare_python, env=surroundings)
    assert len(leaks(open_report.stdout)) > 0.9 * len(EVERYTHING)


def test_the_machines_own_names_are_hidden_too(bare_python: str) -> None:
    ended = gpudoctor("check", "--json", "--python", bare_python)
    assert ended.status in (0, 1)
    names = [os.uname().nodename, *addresses()]
    assert [name for name in names if len(name) > 4 and name.encode() in ended.stdout] == []


def addresses() -> Iterable[str]:
    for path in Path("/sys/class/net").glob("*/address"):
        found = path.read_text().strip()
        if found.strip("0:"):
            yield found


def test_a_recording_and_what_is_judged_from_it(
    surroundings: dict[str, str | None], bare_python: str, tmp_path: Path
) -> None:
    folder = tmp_path / "recorded"
    done = gpudoctor("facts", "--record", str(folder), "--python", bare_python, env=surroundings)
    assert done.status == 0, done.errors
    found = {str(path.relative_to(folder)): leaks(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    assert {name: kinds for name, kinds in found.items() if kinds} == {}
    assert leaks("\n".join(found).encode()) == []
    assert gpudoctor("check", "--json", "--from", str(folder)).status in (0, 1)


@pytest.mark.parametrize("arguments", [["check", "--json"], ["check", "--markdown"], ["facts", "--json"]], ids=" ".join)
def test_a_recorded_machine_whose_kernel_and_cgroups_tell(
    repository: Path, tmp_path: Path, arguments: list[str]
) -> None:
    host = tmp_path / "host"
    shutil.copytree(repository / "tests" / "hosts" / "hgx-cuinit-802", host)
    files = host / "files"
    pod = next(one.sentence for one in EVERYTHING if one.kind == "pod")
    scope = next(one.sentence for one in EVERYTHING if one.kind == "container")
    (files / "proc/self/cgroup").write_text(f"{scope}\n1:memory:/kubepods.slice/{pod}\n")
    (files / "proc/cmdline").write_text(LINE + "\n")
    (files / "etc/resolv.conf").write_text(f"search {planted.HOST}.example.org\nnameserver 10.77.3.91\n")
    (files / "etc/hosts").write_text(f"10.77.3.91 {planted.HOST}\n93.184.77.91 {planted.HOST}.example.org\n")
    log = files / "var/log/kern.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(
        "".join(f"[{10 + n}.000000] NVRM: Xid (PCI:0000:10:00): 79, {text}\n" for n, text in enumerate(SENTENCES))
    )
    index = json.loads((host / "host.json").read_text())
    index["identity"].update(hostname=planted.HOST, user=planted.USER, cwd=f"/home/{planted.USER}")
    index["env"].update(HOSTNAME=planted.HOST, USER=planted.USER)
    for child in index["children"].values():
        child["stderr"] = TEXT
    (host / "host.json").write_text(json.dumps(index))
    ended = gpudoctor(*arguments, "--from", str(host))
    assert ended.status in (0, 1), ended.errors
    assert leaks(ended.stdout) == []


@pytest.mark.parametrize("arguments", [["explain-exit", "1"], ["explain-log"]], ids=" ".join)
def test_explanations_that_quote_a_log(tmp_path: Path, arguments: list[str]) -> None:
    log = tmp_path / "train.log"
    lines = [f"RuntimeError: CUDA error: an illegal memory access was encountered {text}" for text in SENTENCES]
    log.write_text(
        "\n".join(["Traceback (most recent call last):", *lines, TEXT, "torch.OutOfMemoryError: " + LINE]) + "\n"
    )
    for form in (["--json"], ["--redact"]):
        ended = gpudoctor(*arguments, str(log), *form)
        assert ended.status in (0, 1), ended.errors
        assert leaks(ended.stdout) == []
