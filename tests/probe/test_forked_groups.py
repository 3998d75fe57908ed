"""Groups of steps in forked children: limits, crashes, needed steps, output, and what is left running."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import fake_torch
from gpudoctor.host.local import LocalHost
from gpudoctor.model.child import ChildEnd
from gpudoctor.probe import zygote
from gpudoctor.probe.answers import said, why_step_failed

PROBE = "def run(torch, options, emit, load):\n    "
GOOD = PROBE + "emit({'seen': options.get('value', 1)})\n"


@pytest.fixture
def steps(look, bare_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`steps({"a": source, ...}, limits)`: run these step files as one group; afterwards nothing may still run."""
    monkeypatch.setenv("PYTHONPATH", str(fake_torch.write(tmp_path / "site")))

    def run(
        sources: dict[str, str], timeout: float = 20.0, groups: Sequence[dict[str, Any]] = (), **more: dict[str, Any]
    ) -> ChildEnd:
        plan = zygote.plan_for(timeout, True, ())
        listed = []
        for name, source in sources.items():
            file = tmp_path / f"step_{name}.py"
            file.write_text(source)
            listed.append({"name": name, "file": str(file), "limit_s": 10.0, **more.get(name, {})})
        plan["groups"] = [{"name": "test", "steps": listed}]
        if groups:  # one step each
            plan["groups"] = [{**group, "steps": [step]} for group, step in zip(groups, listed)]
        with LocalHost(timeout) as host:
            return host.run_script("target", bare_python, os.path.join(zygote.SCRIPTS, "harness.py"), plan, timeout)

    return run


def test_steps_share_one_process(steps) -> None:
    source = PROBE + "import os; emit({'pid': os.getpid(), 'value': options.get('value')}); torch.mark = 1\n"
    end = steps({"a": source, "b": source.replace("emit({", "emit({'mark': torch.mark, ")}, b={"options": {"value": 5}})
    one, other = said(end, "a"), said(end, "b")
    assert one["outcome"] == other["outcome"] == "completed"
    assert one["pid"] == other["pid"]
    assert (other["mark"], other["value"]) == (1, 5)
    assert said(end, "end") == {"step": "end"}


@pytest.mark.parametrize(
    ("death", "outcome", "key", "value"),
    [
        ("import ctypes; ctypes.string_at(0)", "crashed", "signal", 11),
        ("import os; os.abort()", "crashed", "signal", 6),
        ("import os; os.kill(os.getpid(), 9)", "crashed", "signal", 9),
        ("import os; os._exit(4)", "exited", "status", 4),
        ("import sys; sys.exit(5)", "exited", "status", 5),
        ("1 / 0", "failed", "error_type", "ZeroDivisionError"),
        ("raise KeyboardInterrupt", "failed", "error_type", "KeyboardInterrupt"),
    ],
)
def test_the_death_of_a_step_costs_no_other(steps, death: str, outcome: str, key: str, value: object) -> None:
    end = steps({"a": GOOD, "b": PROBE + f"emit({{'before': 1}}); {death}\n", "c": GOOD})
    assert [said(end, name)["outcome"] for name in "abc"] == ["completed", outcome, "completed"]
    assert said(end, "b")[key] == value
    assert said(end, "b")["before"] == 1
    assert said(end, "c")["seen"] == 1


def test_a_hang_ends_at_the_limit_of_its_step(steps) -> None:
    source = PROBE + "import os, time\n    os.write(1, b'waiting')\n    time.sleep(600)\n"
    end = steps({"a": source, "b": GOOD}, a={"limit_s": 0.4})
    assert said(end, "a")["outcome"] == "timed_out"
    assert "waiting" in said(end, "a")["output"]
    assert "step_a.py" in said(end, "a")["output"], "the stack tells where it hung"
    assert said(end, "b")["outcome"] == "completed"


def test_a_hang_that_ignores_signals(steps) -> None:
    source = PROBE + "import signal, time; signal.signal(signal.SIGABRT, signal.SIG_IGN); time.sleep(600)\n"
    end = steps({"a": source, "b": GOOD}, a={"limit_s": 0.4})
    assert [said(end, name)["outcome"] for name in "ab"] == ["timed_out", "completed"]


def test_a_step_that_leaves_a_process_behind(steps) -> None:
    source = PROBE + "import os, time\n    if os.fork() == 0:\n        time.sleep(600)\n        os._exit(0)\n"
    end = steps({"a": source, "b": GOOD})
    assert [said(end, name)["outcome"] for name in "ab"] == ["completed", "completed"]


def test_a_needed_step_blocks_the_rest(steps) -> None:
    end = steps({"a": PROBE + "import os; os.abort()\n", "b": GOOD, "c": GOOD}, a={"needed": True})
    assert [said(end, name)["outcome"] for name in "abc"] == ["crashed", "blocked", "blocked"]
    assert said(end, "c")["blocked_by"] == "a"


@pytest.mark.parametrize(("first", "outcome"), [("import os; os.abort()\n", "blocked"), ("pass\n", "completed")])
def test_a_group_can_need_a_step_of_an_earlier_one(steps, first: str, outcome: str) -> None:
    end = steps({"a": PROBE + first, "b": GOOD}, groups=[{"name": "one"}, {"name": "two", "needs": ["a"]}])
    assert said(end, "b")["outcome"] == outcome
    if outcome == "blocked":
        assert why_step_failed(end, "b").detail == "it was ended by SIGABRT"


def test_the_time_of_the_whole_run_is_kept(steps) -> None:
    sleep = PROBE + "import time; time.sleep(600)\n"
    end = steps({"a": sleep, "b": GOOD}, timeout=3.0)
    assert [said(end, name)["outcome"] for name in "ab"] == ["timed_out", "timed_out"]
    assert said(end, "end"), "the harness itself came to its end"


def test_ten_megabytes_of_output_are_bounded(steps) -> None:
    source = PROBE + "import os\n    for _ in range(160): os.write(2, b'\\xff' * 65536)\n    emit({'after': 1})\n"
    line = said(steps({"a": source}), "a")
    assert line["after"] == 1
    assert "bytes left out" in line["output"]
    assert len(line["output"]) < 120_000


@pytest.mark.parametrize("source", ["this is no python", "", "import a_module_that_nobody_has"])
def test_a_step_file_that_cannot_be_run(steps, source: str) -> None:
    end = steps({"a": source, "b": GOOD})
    assert [said(end, name)["outcome"] for name in "ab"] == ["failed", "completed"]


def test_results_that_are_no_json(steps) -> None:
    source = PROBE + "emit({'object': object(), 'surrogate': chr(0xdcff)})\n"
    line = said(steps({"a": source}), "a")
    assert line["outcome"] == "completed"
    assert "object object" in line["object"]
    line["surrogate"].encode("utf-8")
