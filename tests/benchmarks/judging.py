"""What judging costs by itself: loading the rules once, then a thousand reports in one process, in processor seconds.

    python tests/benchmarks/judging.py [--reports N]

The reports are those of the recorded machines, over and over, and no two are alike: sizes, counts and driver builds
differ from one to the next, as they do between the machines of a fleet, so that nothing is answered from memory that
would not be there. Processor time, because other work on the same cores must not count; budgets: a thousand reports
within three seconds of one core. A loop of plain Python is timed beside it, since the speed of shared machines drifts.
Nothing in the test suite asserts times.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from gpudoctor.api import judge, to_json
from gpudoctor.diagnose import CheckSettings, diagnose
from gpudoctor.judging import judge_again
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.fact import Fact, Facts
from gpudoctor.model.record import replace
from gpudoctor.model.version import Version

HOSTS = Path(__file__).resolve().parents[1] / "hosts"


def recorded() -> list[Diagnosis]:
    """The diagnoses of all recorded machines."""
    return [diagnose(CheckSettings(source=str(folder))).diagnosis for folder in sorted(HOSTS.iterdir())]


def varied(diagnosis: Diagnosis, number: int) -> Diagnosis:
    """The same machine with other figures in all that is counted in thousands, and another build of its driver."""

    def other(fact: Fact) -> Fact:
        value = fact.value
        if isinstance(value, int) and value > 1000:
            return Fact(fact.key, value + number)
        if fact.key == "driver.version" and isinstance(value, Version):
            return Fact(fact.key, Version.parse(".".join(map(str, (*value.numbers[:2], number)))))
        return fact

    return replace(diagnosis, facts=Facts(map(other, diagnosis.facts.items_sorted())))


def seconds_for(diagnoses: list[Diagnosis]) -> float:
    """Judge them again."""
    began = time.process_time()
    for one in diagnoses:
        judge_again(one.facts, one.runs, one.target)
    return time.process_time() - began


def seconds_by_api(texts: list[str]) -> float:
    """Read JSON reports and judge them, as users of the Python API do."""
    began = time.process_time()
    for text in texts:
        judge(text)
    return time.process_time() - began


def plain_seconds() -> float:
    """A loop of plain Python."""
    began = time.process_time()
    kept = {}
    for number in range(200_000):
        kept[number & 1023] = (number, str(number))
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000)
    options = parser.parse_args()
    machines = recorded()
    reports = [varied(machines[number % len(machines)], number) for number in range(options.reports)]
    print(f"the first, with reading what was not read yet: {seconds_for(reports[:1]) * 1000:.0f} ms")
    for count in (options.reports // 10, options.reports // 2, options.reports):
        rounds = [(seconds_for(reports[:count]), plain_seconds()) for _ in range(5)]
        seconds = [one for one, _ in rounds]
        ratio = statistics.median(one / plain for one, plain in rounds) / count
        print(
            f"{count:5} reports: {statistics.median(seconds):.2f} s, at best {min(seconds):.2f} s, that is "
            f"{1000 * min(seconds) / count:.2f} ms each; one is {ratio:.3f} of the plain loop"
        )
    texts = [to_json(one) for one in reports[:100]]
    seconds_by_api(texts[: len(machines)])
    read = 1000 * min(seconds_by_api(texts) for _ in range(3)) / len(texts)
    print(f"each with reading its JSON of {sum(map(len, texts)) // len(texts) >> 10} KiB, by the API: {read:.1f} ms")


if __name__ == "__main__":
    main()
