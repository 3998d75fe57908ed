"""Placeholders are filled by look-up and nothing else."""

from __future__ import annotations

from gpudoctor.knowledge.expand import fill, fill_all, keys_in, text_of, usable_remedies
from gpudoctor.model.cause import Actor, Remedy
from gpudoctor.model.fact import Reason, Unknown
from mini_rules import facts, version

LACKING = Unknown(Reason.NO_DATA)
FACTS = facts(
    driver__version=version("535.104.05"),
    gpu__names=("A100", LACKING),
    torch__cuda_available=False,
    evil__text="{driver.version} {0.__class__}",
    size__bytes=1024,
)


def test_values_are_shown_as_they_are() -> None:
    said = fill("{driver.version}, {gpu.names}, {torch.cuda_available}, {size.bytes}, {no.body}", FACTS)
    assert said == "535.104.05, A100, unknown, false, 1024, unknown"


def test_what_a_fact_holds_is_not_expanded_again() -> None:
    assert fill("<{evil.text}>", FACTS) == "<{driver.version} {0.__class__}>"


def test_attributes_and_formats_are_no_placeholders() -> None:
    assert fill("{driver.version.__class__} {driver.version!r} {0} {}", FACTS) == "unknown {driver.version!r} {0} {}"


def test_the_braces_of_shells_and_templates_are_left_alone() -> None:
    command = "docker inspect -f '{{.State.ExitCode}}' ${NAME.x} {driver.version}; python -c '{x.y for x in z}'"
    assert fill_all(command, FACTS) == command.replace("{driver.version}", "535.104.05")


def test_an_instruction_with_a_gap_is_dropped() -> None:
    assert fill_all("take {driver.version}", FACTS) == "take 535.104.05"
    assert fill_all("take {gpu.names}", FACTS) is None
    assert fill_all("take {no.body}", FACTS) is None
    remedies = (
        Remedy(Actor.HOST, "Plain."),
        Remedy(Actor.IMAGE, "Take {driver.version}.", "install {no.body}"),
        Remedy(Actor.IMAGE, "Take {driver.version}.", "install {size.bytes}", "test {size.bytes}"),
    )
    assert usable_remedies(remedies, FACTS) == (
        remedies[0],
        Remedy(Actor.IMAGE, "Take 535.104.05.", "install 1024", "test 1024"),
    )


def test_keys_and_texts() -> None:
    assert keys_in("{a.b} {c.d} {a.b}") == ("a.b", "c.d")
    assert text_of(True) == "true"
    assert text_of(()) == ""


def test_general_advice_gives_way_to_advice_for_this_machine() -> None:
    special = Remedy(Actor.IMAGE, "Install for {wheel.best_cuda}.")
    general = Remedy(Actor.IMAGE, "Install the newest.", fallback=True)
    other = Remedy(Actor.HOST, "Update the driver.", fallback=True)
    known = facts(wheel__best_cuda=version("11.8"))
    assert [remedy.text for remedy in usable_remedies((special, general, other), known)] == [
        "Install for 11.8.",
        "Update the driver.",
    ]
    assert [remedy.text for remedy in usable_remedies((special, general), facts())] == ["Install the newest."]
