"""How probes ended, gathered by the kind of end, so that one check judges all of them.

The ring has facts and checks of its own that tell more, and so has loading through /dev/shm where that is short.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown

OF_THE_GPU = "cuda"
FACTS = (
    FactSpec("probe.any_ran", FactType.BOOLEAN, "Whether any of the probes of single operations came to an end."),
    FactSpec("probe.crashed", FactType.TEXT_LIST, "Quick probes that a signal or an exit ended, with the signal."),
    FactSpec("probe.timed_out", FactType.TEXT_LIST, "Quick probes that did not come to an end within their limit."),
    FactSpec("probe.failed", FactType.TEXT_LIST, "Quick probes that raised, each with its error.", private=True),
    FactSpec("probe.wrong_on_gpu", FactType.TEXT_LIST, "Probes that gave wrong results on a GPU, with what was wrong."),
    FactSpec(
        "probe.wrong_on_cpu", FactType.TEXT_LIST, "Probes that gave wrong results on the CPU, and what was wrong."
    ),
    FactSpec("probe.full_not_passed", FactType.TEXT_LIST, "Full probes that ended badly, and how.", private=True),
)
INPUTS = ()  # what probes say is observed, and which probes there are is theirs to tell
ENDS = ("passed", "wrong_result", "failed", "crashed", "timed_out")
SAID_LIMIT = 300


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Lists of those that ended; where none came to an end, all are unknown for the reason of the first."""
    levels = {name: level for name in probes_of(facts) if (level := facts.text(f"probe.{name}.level"))}
    ended = {name: how for name in levels if (how := facts.text(f"probe.{name}.outcome")) in ENDS}
    if not ended:
        yield Fact("probe.any_ran", False)
        whys = (facts[f"probe.{name}.outcome"] for name in levels)
        none = next((why for why in whys if isinstance(why, Unknown)), Unknown(Reason.NOT_REQUESTED, "no probe ran"))
        for spec in FACTS[1:]:
            yield Fact(spec.key, none)
        return
    yield Fact("probe.any_ran", True)
    quick = [name for name in ended if levels[name] == "quick"]
    for how in ("crashed", "timed_out", "failed"):
        yield Fact(f"probe.{how}", tuple(told(facts, name, how) for name in quick if ended[name] == how))
    wrong = [name for name, how in ended.items() if how == "wrong_result"]
    on_gpu = [name for name in wrong if (facts.text(f"probe.{name}.device") or "").startswith(OF_THE_GPU)]
    yield Fact("probe.wrong_on_gpu", tuple(told(facts, name, "wrong_result") for name in on_gpu))
    yield Fact("probe.wrong_on_cpu", tuple(told(facts, name, "wrong_result") for name in wrong if name not in on_gpu))
    bad = [name for name in ended if levels[name] == "full" and ended[name] in ("failed", "crashed", "timed_out")]
    yield Fact("probe.full_not_passed", tuple(told(facts, name, ended[name]) for name in bad))


def probes_of(facts: Facts) -> list[str]:
    """The names of the probes that share their checks, sorted."""
    parts = [key.split(".") for key in facts.keys_of_form("probe.", ".level")]
    return sorted(part[1] for part in parts if len(part) == 3)


def told(facts: Facts, name: str, how: str) -> str:
    """`conv2d (SIGSEGV)`, `conv2d: RuntimeError: ...`."""
    signal = facts.text(f"probe.{name}.signal")
    said = " ".join((facts.text(f"probe.{name}.said") or "").split())[:SAID_LIMIT]
    if how == "crashed":
        return f"{name} ({signal})" if signal else f"{name} (the process ended itself)"
    if how == "timed_out":
        return name
    return f"{name}: {said}" if said else name
