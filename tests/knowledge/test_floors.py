"""Driver floors, read a second time from what NVIDIA's compatibility guide says about whole majors."""

from __future__ import annotations

import pytest

from derived import tables
from gpudoctor.knowledge import rows
from gpudoctor.knowledge.floors import floor_of, serves, serves_by_cuda
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version

V = Version.parse


@pytest.mark.parametrize(
    ("cuda", "oldest", "exact"),
    [
        ("10.1", "418.39", "418.39"),
        ("10.2", "440.33", "440.33"),
        ("11.0", "450.51.05", "450.51.05"),
        ("11.8", "450.80.02", "520.61.05"),
        ("12.0", "525.60.13", "525.60.13"),
        ("12.8", "525.60.13", "570.26"),
        ("13.0", "580.65.06", "580.65.06"),
        ("13.2", "580.65.06", "595.45.04"),
    ],
)
def test_floors_on_linux(cuda: str, oldest: str, exact: str) -> None:
    floor = floor_of(V(cuda), tables())
    assert floor is not None
    assert (str(floor.oldest), str(floor.exact)) == (oldest, exact)


def test_windows_numbers_differ() -> None:
    floor = floor_of(V("12.4"), tables(), windows=True)
    assert floor is not None
    assert str(floor.oldest) == "527.41"
    thirteen = floor_of(V("13.0"), tables(), windows=True)
    assert thirteen is not None
    assert thirteen.oldest == V("580")
    assert thirteen.exact is None


def test_a_minor_that_is_not_listed_yet_has_its_majors_floor() -> None:
    floor = floor_of(V("13.9"), tables())
    assert floor is not None
    assert floor.oldest == V("580.65.06")
    assert floor.exact is None


def test_an_unknown_major_has_no_floor() -> None:
    assert floor_of(V("14.0"), tables()) is None
    assert serves(V("999.1"), V("14.0"), tables()) is Truth.UNKNOWN


def test_every_branch_against_every_cuda() -> None:
    """By the guide: 11.x from 450, 12.x from 525, 13.x from 580; before that a branch serves its own CUDA and older."""
    majors = {11: 450, 12: 525, 13: 580}
    checked = 0
    for branch_row in tables()["driver_branches"].rows:
        branch, own = rows.integer(branch_row, "branch"), rows.version(branch_row, "max_cuda")
        assert branch is not None
        assert own is not None
        for cuda in {str(row["cuda"]) for row in tables()["cuda_driver"].rows}:
            wanted = V(cuda)
            expected = branch >= majors[wanted.major] if wanted.major in majors else own >= wanted
            newest_of_branch = V(f"{branch}.999.99")
            assert serves(newest_of_branch, wanted, tables()) is Truth.of(expected), f"branch {branch}, CUDA {cuda}"
            checked += 1
    assert checked > 500


# NVIDIA's guide to CUDA compatibility, table of minor-version compatibility, and the release notes before CUDA 11.1.
OLDEST = {"10.1": "418.39", "10.2": "440.33", "11.0": "450.51.05", 11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}


KNOWN = sorted({str(row["cuda"]) for row in tables()["cuda_driver"].rows if V(str(row["cuda"])) >= V("10.1")})


@pytest.mark.parametrize("cuda", KNOWN)
def test_the_floor_itself_serves_and_what_is_just_below_does_not(cuda: str) -> None:
    oldest = OLDEST.get(cuda) or OLDEST[V(cuda).major]
    *head, last = oldest.split(".")
    below = ".".join([*head, f"{int(last) - 1:02}"])
    assert serves(V(oldest), V(cuda), tables()) is Truth.TRUE
    assert serves(V(below), V(cuda), tables()) is Truth.FALSE
    assert serves(V(head[0]), V(cuda), tables()) is Truth.FALSE


def test_by_the_drivers_own_cuda_version() -> None:
    assert serves_by_cuda(V("12.2"), V("12.8")) is Truth.TRUE
    assert serves_by_cuda(V("12.7"), V("13.0")) is Truth.FALSE
    assert serves_by_cuda(V("13.0"), V("12.1")) is Truth.TRUE
    assert serves_by_cuda(V("10.1"), V("10.2")) is Truth.FALSE
