"""The good end: whether a job says that it ended well after everything that looks like a failure.

A log of a job that got over its troubles (a batch too large, a connection tried again, a suite that provokes errors)
holds the same lines as one of a job that died of them. What tells them apart is what stands last.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpudoctor.knowledge.match import UNKNOWN_LINE, Match
from gpudoctor.knowledge.rank import Stated
from gpudoctor.model.signature import Role

_SPEAKING = (Role.ROOT, Role.SYMPTOM)


def good_end(matches: Sequence[Match], stated: Sequence[Stated]) -> list[Match]:
    """The lines that tell of a good end; none where something failed later, elsewhere, or ended with a bad status.

    A failing status that was stated before counts as well, unless the good end is direct: one process of several can
    end well. A direct one (a test suite that passed) tells of all that stands before it.
    """
    ends = [match for match in matches if match.signature.role is Role.SUCCESS and match.last < UNKNOWN_LINE]
    if not ends:
        return []
    last = max(ends, key=lambda match: (match.last, match.signature.direct))
    failures = [match for match in matches if match.signature.role in _SPEAKING]
    failures += [entry.match for entry in stated]
    if any(match.document != last.document or match.last >= last.last for match in failures):
        return []
    if stated and not last.signature.direct:
        return []
    return [last]
