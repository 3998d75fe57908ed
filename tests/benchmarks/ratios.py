"""Speed as ratios measured in one run: each command against bare Python (or a bare `import torch`) on the same machine.

    python tests/benchmarks/ratios.py [--runs N] [--python PATH] [--check]

Pairs are run in turn, A B A B ..., so that a machine whose speed drifts drifts for both; the median of the pairwise
ratios is what counts. Run it where gpudoctor is installed and its bytecode is compiled. With --check the exit code
is 1 when a median is above its budget; nothing in the test suite asserts times.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

JUDGE = """
from gpudoctor.judging import judge_again
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.fact import Fact, Facts
facts = Facts([Fact("expect.gpus", "any"), Fact("gpu.count", 1), Fact("torch.installed", True)])
judge_again(facts, (), Target("document", "", ""))
import gc
gc.freeze()  # as the command line does before it ends
"""
# The same with all that one recorded machine tells, read from the file named behind it.
JUDGE_WHOLE = """
import sys
from _pickle import load
from gpudoctor.judging import judge_again
from gpudoctor.model.diagnosis import Target
with open(sys.argv[1], "rb") as file:
    facts = load(file)
judge_again(facts, (), Target("document", "", ""))
import gc
gc.freeze()
"""
MACHINE = Path(__file__).resolve().parents[1] / "hosts" / "h100x2-driver580-cu130"


@dataclass(frozen=True)
class Case:
    """A command, what it is measured against, and the ratio that it must not exceed."""

    name: str
    command: list[str]
    against: list[str]
    budget: float
    runs: int


def seconds_of(command: list[str]) -> float:
    # A virtual environment that happens to be active would be the one that `check` examines.
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    began = time.perf_counter()
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=False,
    )
    return time.perf_counter() - began


def ratios_of(case: Case) -> list[float]:
    seconds_of(case.command), seconds_of(case.against)
    return [seconds_of(case.command) / seconds_of(case.against) for _ in range(case.runs)]


def recorded_facts(folder: str) -> str:
    """A file in the folder with the facts of a recorded machine."""
    from gpudoctor.diagnose import CheckSettings, diagnose

    facts = diagnose(CheckSettings(source=str(MACHINE))).diagnosis.facts
    path = Path(folder) / "facts"
    path.write_bytes(pickle.dumps(facts, protocol=4))
    return str(path)


def cases(python: str, runs: int, folder: str) -> list[Case]:
    doctor = str(Path(python).with_name("gpudoctor"))
    bare = [python, "-c", "pass"]
    found = [
        Case("--help", [doctor, "--help"], bare, 6.0, runs),
        Case("explain-exit 139", [doctor, "explain-exit", "139"], bare, 6.0, runs),
        Case("explain memory.shm_too_small", [doctor, "explain", "memory.shm_too_small"], bare, 6.0, runs),
    ]
    found.append(Case("load all rules, judge one machine", [python, "-c", JUDGE], bare, 4.0, runs))
    found.append(Case("the same, 900 facts", [python, "-c", JUDGE_WHOLE, recorded_facts(folder)], bare, 4.0, runs))
    found.append(Case("run -- true", [doctor, "run", "--", "true"], bare, 5.0, runs))
    flood = "head -c 1G /dev/zero"
    through = ["sh", "-c", f"{doctor} run --no-report -- {flood} | cat >/dev/null"]
    found.append(Case("run: 1 GiB, against cat", through, ["sh", "-c", f"{flood} | cat | cat >/dev/null"], 1.3, runs))
    if importlib.util.find_spec("torch"):
        torch = [python, "-c", "import torch"]
        found.append(
            Case(
                "check --no-probes, with torch",
                [doctor, "check", "--no-probes", "--python", python],
                torch,
                1.25,
                max(3, runs // 2),
            )
        )
        found.append(
            Case("check, with quick probes", [doctor, "check", "--python", python], torch, 1.3, max(3, runs // 2))
        )
        collect_env = [python, "-m", "torch.utils.collect_env"]
        found.append(
            Case(
                "the same against collect_env",
                [doctor, "check", "--python", python],
                collect_env,
                1.0,
                max(3, runs // 4),
            )
        )
    else:
        found.append(
            Case(
                "check --no-probes, without torch",
                [doctor, "check", "--no-probes", "--python", python],
                bare,
                25.0,
                runs,
            )
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    too_slow = 0
    print(f"{'command':36} {'median':>7} {'min':>7} {'max':>7} {'budget':>7}")
    with tempfile.TemporaryDirectory(prefix="gpudoctor-benchmark-") as folder:
        for case in cases(options.python, options.runs, folder):
            ratios = ratios_of(case)
            median = statistics.median(ratios)
            too_slow += median > case.budget
            mark = "  over budget" if median > case.budget else ""
            print(f"{case.name:36} {median:7.2f} {min(ratios):7.2f} {max(ratios):7.2f} {case.budget:7.2f}{mark}")
    return 1 if too_slow and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
