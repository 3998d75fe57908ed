"""Records what other people's tools print beside what our collectors see in the same environment.

    python -m venv ENV && ENV/bin/pip install torch==2.13.0 accelerate         (or transformers, or deepspeed)
    python tests/support/record_tools.py accelerate-env-1.15.txt ENV/bin/python

The first word is a name of RECIPES below. Texts go to tests/intake/dumps, facts to tests/data/tools, and
tests/test_tools.py holds that the one states the other. Paths of the environment and the kernel's name are replaced by
plain ones in both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent)]

from gpudoctor.diagnose import CheckSettings, see  # noqa: E402
from gpudoctor.intake import environment  # noqa: E402
from gpudoctor.intake.scan import clean  # noqa: E402
from gpudoctor.model.fact import Unknown, Value  # noqa: E402

DUMPS = TESTS / "intake" / "dumps"
FACTS = TESTS / "data" / "tools"
PLAIN_FOLDER = "/opt/env"
PLAIN_KERNEL = "6.1.0-18-amd64"
# What each tool is run as, beside the interpreter of its environment.
RECIPES = {
    "accelerate-env-1.15.txt": ("accelerate", "env"),
    "transformers-env-5.24.txt": ("transformers", "env"),
    "ds-report-0.19.txt": ("ds_report",),
    "collect-env-2.13.txt": ("python", "-m", "torch.utils.collect_env"),
}


def plain(text: str, folder: str) -> str:
    """A text without what is this machine's own."""
    return text.replace(folder, PLAIN_FOLDER).replace(os.uname().release, PLAIN_KERNEL)


def jsonable(value: Value | Unknown, folder: str) -> object:
    """A value of a fact as JSON; versions as texts."""
    if isinstance(value, tuple):
        return [jsonable(item, folder) for item in value]
    if isinstance(value, Unknown):
        return {"unknown": value.reason.value}
    return value if isinstance(value, (bool, int, float)) else plain(str(value), folder)


def record(name: str, python: str) -> None:
    """Run the tool and the collectors, and keep both."""
    program, *arguments = RECIPES[name]
    place = Path(python).parent
    argv = [str(place / program), *arguments]
    printed = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True).stdout
    seen, _specs = see(CheckSettings(python=python, probes="none"))
    stated = environment.read(clean(printed)).facts
    facts = {fact.key: jsonable(seen[fact.key], str(place.parent)) for fact in stated}
    DUMPS.joinpath(name).write_text(plain(printed, str(place.parent)), encoding="utf-8")
    FACTS.mkdir(parents=True, exist_ok=True)
    FACTS.joinpath(name).with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(*sys.argv[1:])
