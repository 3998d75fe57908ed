"""What judging costs by itself: loading the rules once, then a thousand reports in one process, in processor seconds.

    python tests/benchmarks/judging.py [--reports N]

The reports are those of the recorded machines, over and over. Processor time, because other work on the same cores
must not count; budgets: a thousand reports within three seconds of one core. Nothing in the test suite asserts times.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path

from gpudoctor.diagnose import CheckSettings, diagnose
from gpudoctor.judging import judge_again
from gpudoctor.model.diagnosis import Diagnosis

HOSTS = Path(__file__).resolve().parents[1] / "hosts"


def recorded() -> list[Diagnosis]:
    """The diagnoses of all recorded machines."""
    return [diagnose(CheckSettings(source=str(folder))).diagnosis for folder in sorted(HOSTS.iterdir())]


def seconds_for(diagnoses: list[Diagnosis], count: int) -> float:
    """Judge `count` of them again."""
    began = time.process_time()
    for one in itertools.islice(itertools.cycle(diagnoses), count):
        judge_again(one.facts, one.runs, one.target)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000)
    options = parser.parse_args()
    diagnoses = recorded()
    first = seconds_for(diagnoses, 1)
    print(f"the first, with reading what was not read yet: {first * 1000:.0f} ms")
    for count in (options.reports // 10, options.reports // 2, options.reports):
        rounds = [seconds_for(diagnoses, count) for _ in range(3)]
        print(f"{count:5} reports: {statistics.median(rounds):.2f} s, {1000 * min(rounds) / count:.2f} ms each at best")


if __name__ == "__main__":
    main()
