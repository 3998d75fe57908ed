"""Two diagnoses side by side: what differs between two machines, and how likely it explains that they behave apart."""

from __future__ import annotations

from gpudoctor.model.fact import Unknown, Value
from gpudoctor.model.finding import Finding
from gpudoctor.model.record import record


@record
class Difference:
    """One fact that differs. `weight` is 0 to 100; `why` says in words what such a difference can do.

    Where only one side tells, `is_one_sided` is set: then it is not known whether the machines differ at all.
    """

    key: str
    left: Value | Unknown
    right: Value | Unknown
    weight: int
    why: str = ""
    is_one_sided: bool = False


@record
class Comparison:
    """The answer of `diff`: names of the sides, failed findings that only one has, differences by weight."""

    left: str
    right: str
    only_left: tuple[Finding, ...]
    only_right: tuple[Finding, ...]
    differences: tuple[Difference, ...]
    same_count: int

    def telling(self, least: int) -> tuple[Difference, ...]:
        """The differences of at least this weight in which both sides tell."""
        return tuple(one for one in self.differences if one.weight >= least and not one.is_one_sided)
