"""What a terminal shows of probes: an outcome each, figures with units, nothing wider than it."""

from __future__ import annotations

import pytest

from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.report.probes import lines_of, number_text, probes_row

SPECS = {
    spec.key: spec
    for spec in (
        FactSpec("probe.copies.outcome", FactType.TEXT, ""),
        FactSpec("probe.copies.said", FactType.TEXT, ""),
        FactSpec("probe.copies.bytes", FactType.INTEGER, "", unit="bytes"),
        FactSpec("probe.copies.to_host_bytes_per_second", FactType.NUMBER, "", unit="bytes per second"),
        FactSpec("probe.copies.to_device_bytes_per_second", FactType.NUMBER, "", unit="bytes per second"),
        FactSpec("probe.copies.rates", FactType.NUMBER_LIST, "", unit="flop/s"),
    )
}


def facts(outcome: object, **more: object) -> Facts:
    found = [
        Fact("probe.copies.outcome", outcome),
        *(Fact(f"probe.copies.{key}", value) for key, value in more.items()),
    ]
    return Facts(found)


def lines(found: Facts) -> list[str]:
    return list(lines_of("copies", "copies to the device and back", found, SPECS))


def test_figures_have_units_and_fit_eighty_columns() -> None:
    rates = tuple(float(number) * 1e12 for number in range(1, 4))
    shown = lines(
        facts(
            "passed",
            device="cuda:0",
            bytes=4 << 20,
            to_host_bytes_per_second=2.5e10,
            to_device_bytes_per_second=2.6e10,
            rates=rates,
        )
    )
    assert shown[0] == "copies         passed: copies to the device and back, on cuda:0"
    whole = " ".join(shown)
    assert "bytes 4 MiB" in whole
    assert "to host 25 GB/s" in whole
    assert "rates 1 Tflop/s, 2 Tflop/s, 3 Tflop/s" in whole
    assert max(map(len, shown)) <= 80
    assert "rates" not in " ".join(lines(facts("passed", rates=())))


def test_what_failed_says_so_and_what_it_said() -> None:
    shown = lines(facts("crashed", signal="SIGSEGV", said="no\nkernel image"))
    assert shown[0].startswith("copies         CRASHED (SIGSEGV)")
    assert "no kernel image" in shown[1]
    assert "not known: no time" in lines(facts(Unknown(Reason.TIMED_OUT, "no time was left")))[0]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1023, "bytes", "1023 B"), (7.0, "bytes per second", "7 B/s"), (0.00165, "", "0.00165"), ("sdpa", "", "sdpa")],
)
def test_numbers(value: object, unit: str, text: str) -> None:
    assert number_text(value, unit) == text


def test_the_row_of_a_report_names_what_did_not_pass() -> None:
    found = Facts(
        [
            Fact("probe.copies.outcome", "passed"),
            Fact("probe.copies.device", "cuda:0"),
            Fact("probe.conv2d.outcome", "wrong_result"),
            Fact("probe.peers.outcome", "not_applicable"),
        ]
    )
    assert probes_row(found) == "1 passed on cuda:0; conv2d: WRONG RESULT"
    assert probes_row(Facts()) == ""
