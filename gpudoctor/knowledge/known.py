"""What the rest of the catalogue holds, as far as the reader of one rule file has to know it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpudoctor.knowledge.fields import Fields
from gpudoctor.model.fact import FactSpec
from gpudoctor.model.record import field, record

CAUSE_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*){1,2}")
KEBAB_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAME_ID = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


@record
class Known:
    """Ids and fact declarations to check against; None where they are not checked in this run.

    `retired` maps ids that must not be used again to the reason.
    """

    facts: Mapping[str, FactSpec] | None = None
    causes: frozenset[str] | None = None
    checks: frozenset[str] | None = None
    retired: Mapping[str, str] = field(default_factory=dict)


def read_id(fields: Fields, expected: str, shape: re.Pattern[str], known: Known) -> str:
    """The id of a file, which is its name and was never retired."""
    given = fields.text("id", example=f'"{expected}"')
    if given and given != expected:
        fields.complain("id", f"{given!r} differs from the file's name, which makes it {expected!r}; they must agree")
    elif given and shape.fullmatch(given) is None:
        fields.complain("id", f"{given!r} is not written like an id: small letters, digits and single separators")
    if given in known.retired:
        fields.complain("id", f"{given!r} was retired and must not be used again ({known.retired[given]})")
    return given
