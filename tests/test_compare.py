"""Two machines side by side: order, what is left out, and what only one side tells."""

from __future__ import annotations

from gpudoctor.compare import LIKELY, compare
from gpudoctor.declared import known_specs
from gpudoctor.diagnose import CheckSettings
from gpudoctor.documents import judge_text
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.comparison import Comparison
from gpudoctor.model.record import replace
from gpudoctor.report.diff_json import comparison_v1
from gpudoctor.report.diff_text import render
from rule_cases import facts_of

TABLES = Catalogue(find_rules()).tables
LEFT = "PyTorch version: 2.6.0+cu124\nIs CUDA available: True\nNvidia driver version: 550.54.15\nGPU 0: NVIDIA A30\n"
RIGHT = LEFT.replace("550.54.15", "470.57.02").replace("True", "False")


def compared(left: str, right: str) -> Comparison:
    sides = [judge_text("dump.txt", text.encode(), CheckSettings()).diagnosis for text in (left, right)]
    return compare("left", sides[0], "right", sides[1], TABLES)


def test_the_same_text_differs_in_nothing() -> None:
    answer = compared(LEFT, LEFT)
    assert answer.differences == ()
    assert answer.same_count > 5


def test_the_likeliest_reason_comes_first() -> None:
    told = [one.key for one in compared(LEFT, RIGHT).telling(LIKELY)]
    assert told[0] == "torch.cuda_available"
    assert "driver.version" in told


def test_findings_that_one_side_has_alone_are_told() -> None:
    answer = compared(LEFT, RIGHT)
    assert answer.only_left == ()
    assert "driver.too_old_for_cuda" in {one.cause for one in answer.only_right}


def test_what_only_one_side_tells_is_no_reason() -> None:
    answer = compared(LEFT, LEFT + "NCCL version: 2.21.5\n")
    (one,) = [one for one in answer.differences if one.key == "nccl.version"]
    assert one.is_one_sided
    assert one not in answer.telling(0)


def test_builds_of_one_release_differ() -> None:
    told = compared(LEFT, LEFT.replace("cu124", "cu126")).telling(LIKELY)
    assert {"torch.version", "torch.cuda_version"} <= {one.key for one in told}


def test_what_changes_by_the_second_is_left_out() -> None:
    row = "| N/A   34C    P0    44W / 300W | {used}MiB / 24576MiB |      0%      Default |\n"
    gpu = "|   0  NVIDIA A30   On  | 00000000:3B:00.0 Off |    0 |\n"
    answer = compared(LEFT + gpu + row.format(used=4), LEFT + gpu + row.format(used=900))
    assert "gpu.memory_used_bytes" not in {one.key for one in answer.differences}


def test_other_bits_from_one_image_are_a_likely_reason() -> None:
    """Two reports of machines that run one image, of which one computes other bits."""
    facts = {"torch.version": "2.13.0", "probe.fingerprint.digests": ["matmul 1f00", "exp 77aa"]}
    same, other = (
        facts_of(facts, known_specs()),
        facts_of({**facts, "probe.fingerprint.digests": ["matmul 1f00", "exp 77ab"]}, known_specs()),
    )
    sides = [
        replace(judge_text("dump.txt", LEFT.encode(), CheckSettings()).diagnosis, facts=one) for one in (same, other)
    ]
    answer = compare("left", sides[0], "right", sides[1], TABLES)
    (one,) = answer.telling(LIKELY)
    assert one.key == "probe.fingerprint.digests"
    assert "other bits" in one.why
    assert "probe.fingerprint.digests" in render(answer, known_specs(), LIKELY, 20)
    assert compare("left", sides[0], "right", sides[0], TABLES).telling(0) == ()


def test_every_weight_is_in_range_and_has_words() -> None:
    for row in TABLES["diff_weights"].rows:
        assert isinstance(row["weight"], int)
        assert 0 <= row["weight"] <= 100
        assert row["why"]


def test_the_page_names_both_sides_and_folds_the_rest() -> None:
    page = render(compared(LEFT, RIGHT), known_specs(), LIKELY, 20)
    assert page.index("torch.cuda_available") < page.index("driver.version")
    assert "A 550.54.15" in page
    assert "B 470.57.02" in page
    assert "--verbose shows them" in page
    assert "Nothing that both sides tell" in render(compared(LEFT, LEFT), known_specs(), LIKELY, 20)


def test_the_document_holds_both_values() -> None:
    wire = comparison_v1(compared(LEFT, RIGHT))
    driver = next(one for one in wire["differences"] if one["fact"] == "driver.version")
    assert (driver["left"], driver["right"]) == ({"value": "550.54.15"}, {"value": "470.57.02"})
