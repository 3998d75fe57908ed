"""Facts are known or unknown for a reason; a key that nobody yielded is unknown."""

from __future__ import annotations

import pytest

from gpudoctor.model.fact import Fact, Facts, FactType, Reason, Unknown


def test_a_key_that_nobody_yielded_is_unknown_and_not_there() -> None:
    facts = Facts([Fact("gpu.count", 2)])
    assert facts["driver.version"] == Unknown(Reason.NO_DATA, "nobody looked")
    assert "driver.version" not in facts
    assert len(facts) == 1


def test_a_key_given_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"gpu\.count"):
        Facts([Fact("gpu.count", 2), Fact("gpu.count", 2)])
    with pytest.raises(ValueError, match=r"gpu\.count"):
        Facts([Fact("gpu.count", 2)]).merged([Fact("gpu.count", 3)])


def test_a_boolean_is_no_number_and_a_number_no_flag() -> None:
    facts = Facts([Fact("a.flag", True), Fact("a.number", 3)])
    assert facts.number("a.flag") is None
    assert facts.flag("a.number") is None
    assert facts.flag("a.flag") is True


def test_types_of_lists_know_their_elements() -> None:
    assert FactType.VERSION_LIST.element is FactType.VERSION
    assert FactType.TEXT.element is FactType.TEXT
    assert not FactType.TEXT.is_list


def test_keys_are_found_by_their_beginning_and_end() -> None:
    keys = [
        "probe.conv.level",
        "probe.conv.outcome",
        "probe",
        "probed.level",
        "a.probe.level",
        "probe.level",
        "zeta.level",
    ]
    facts = Facts(Fact(key, True) for key in keys)
    assert facts.keys_of_form("probe.", ".level") == ["probe.conv.level", "probe.level"]
    assert facts.keys_of_form("zeta", "level") == ["zeta.level"]
    assert facts.keys_of_form("zz", "") == []
