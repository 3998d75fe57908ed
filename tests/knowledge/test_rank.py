"""Ranking: what comes first, what is explained away, what is ruled out, and that file order decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.match import Match
from gpudoctor.knowledge.rank import BASE, DIRECT, ROOT, SYMPTOM, Ranking, Stated, fits_exit, rank, under
from gpudoctor.model.document import Line
from gpudoctor.model.exit_status import Candidate, ExitMeaning, ExitStatus, Never
from gpudoctor.model.explanation import Likelihood
from gpudoctor.model.record import replace
from gpudoctor.model.signature import Pattern, Role, Signature

EXPLAINS = {"mem.oom": ("net.peer_died", "net.hang"), "net.peer_died": ("net.hang",), "mem": ("sig.term",)}
ANY = (Pattern("x", ("x",)),)


def spoke(
    cause: str,
    role: Role = Role.ROOT,
    weight: float = 0.5,
    direct: bool = False,
    line: int = 1,
    place: int = 0,
    exits: tuple[str, ...] = (),
    name: str = "",
    facts_only: bool = False,
) -> Match:
    """A match of a signature of its own."""
    signature = Signature(
        name or f"{cause}-{role.value}-{weight}-{line}",
        cause,
        role,
        weight,
        patterns=() if facts_only else ANY,
        direct=direct,
        exits=exits,
        summary=f"{cause} spoke",
    )
    return Match(signature, f"{place}.log", "log", Line(line, f"{cause} at {line}"), position=(place, line))


def ranked(
    matches: Sequence[Match], given: str = "", meaning: ExitMeaning | None = None, stated: Sequence[Stated] = ()
) -> Ranking:
    """Ranked in the little world of EXPLAINS."""
    status = ExitStatus.parse(given) if given else None
    return rank(matches, status, meaning, stated, lambda cause: EXPLAINS.get(cause, ()))


def order(ranking: Ranking) -> list[str]:
    """The causes, first one first."""
    return [suspect.cause for suspect in ranking.suspects]


KILLED = ExitMeaning("137", "killed", "", candidates=tuple(Candidate(cause, "") for cause in ("mem.oom", "sig.stop")))


NEVER = replace(KILLED, never=(Never("gpu.oom", "GPU memory sends no SIGKILL."),))


def test_what_an_exit_never_comes_of_stands_behind_what_came_after_it() -> None:
    clear = spoke("gpu.oom", weight=0.8, direct=True)
    found = ranked([clear], "137", NEVER)
    assert order(found) == ["mem.oom", "gpu.oom", "sig.stop"]
    assert [suspect.likelihood for suspect in found.suspects[:2]] == [Likelihood.LIKELY, Likelihood.POSSIBLE]
    assert found.suspects[0].note == "GPU memory sends no SIGKILL."
    assert found.suspects[0].matches == [clear]


@pytest.mark.parametrize(
    ("given", "meaning", "stated"),
    [("1", None, ()), ("", None, ()), ("137", KILLED, ()), ("137", NEVER, (("1", "app.code"),))],
)
def test_it_stays_first_with_another_exit_or_where_one_process_of_several_ended(
    given: str, meaning: ExitMeaning | None, stated: Sequence[tuple[str, str]]
) -> None:
    others = [Stated(ExitStatus.parse(code), None, spoke(cause, Role.STATUS, line=9)) for code, cause in stated]
    found = ranked([spoke("gpu.oom", weight=0.8, direct=True)], given, meaning, others)
    assert order(found)[0] == "gpu.oom"
    assert found.suspects[0].likelihood is Likelihood.CONFIRMED


def test_direct_evidence_of_what_came_after_is_not_touched() -> None:
    found = ranked([spoke("mem.oom", direct=True), spoke("gpu.oom", direct=True)], "137", NEVER)
    assert order(found) == ["mem.oom", "gpu.oom", "sig.stop"]
    assert found.suspects[0].note == ""
    assert found.suspects[0].likelihood is Likelihood.CONFIRMED


def test_direct_beats_specific_beats_symptom_beats_base_rate() -> None:
    found = ranked(
        [
            spoke("c.symptom", Role.SYMPTOM, 1.0),
            spoke("b.root", weight=0.9),
            spoke("a.direct", weight=0.1, direct=True),
        ],
        "137",
        KILLED,
    )
    assert order(found) == ["a.direct", "b.root", "c.symptom", "mem.oom", "sig.stop"]
    assert [suspect.tier for suspect in found.suspects] == [DIRECT, ROOT, SYMPTOM, BASE, BASE]
    likelihoods = [suspect.likelihood for suspect in found.suspects]
    assert likelihoods == [Likelihood.CONFIRMED, Likelihood.LIKELY, *[Likelihood.POSSIBLE] * 3]


def test_what_another_present_cause_brings_about_comes_after_it_however_specific() -> None:
    found = ranked([spoke("net.hang", weight=0.9, line=1), spoke("mem.oom", weight=0.2, line=900)])
    assert order(found) == ["mem.oom", "net.hang"]
    assert found.suspects[1].explained_by == "mem.oom"


def test_explaining_goes_through_several_steps_and_down_to_finer_causes() -> None:
    assert order(ranked([spoke("net.hang.gloo", weight=0.9), spoke("mem.oom", weight=0.1)])) == [
        "mem.oom",
        "net.hang.gloo",
    ]
    found = ranked([spoke("sig.term", weight=0.9), spoke("mem.oom.cgroup", weight=0.1)])
    assert order(found)[0] == "sig.term"  # `mem` is a family, not a cause that `mem.oom.cgroup` is a finer one of


def test_what_a_finer_cause_reached_does_not_speak_for_its_broader_one() -> None:
    world = {"app.bug": ("sig.term.launcher",), "sig.term": ("net.hang",)}
    matches = [spoke("app.bug", weight=0.1), spoke("net.hang", weight=0.9)]
    found = rank(matches, None, None, [], lambda cause: world.get(cause, ()))
    assert order(found) == ["net.hang", "app.bug"]


def test_base_rates_explain_nothing_away() -> None:
    found = ranked([spoke("net.peer_died", Role.SYMPTOM)], "137", KILLED)
    assert order(found)[0] == "net.peer_died"
    assert not found.suspects[0].explained_by


def test_a_signature_that_does_not_fit_the_exit_is_worth_less() -> None:
    found = ranked([spoke("a.other", weight=0.6, direct=True, exits=("139",)), spoke("b.fits", weight=0.5)], "137")
    assert order(found) == ["b.fits", "a.other"]
    assert found.suspects[1].likelihood is Likelihood.POSSIBLE


def test_a_second_signature_raises_a_cause_a_little_and_echoes_do_not() -> None:
    echo = [spoke("a.one", line=line, name="same") for line in range(1, 30)]
    assert ranked(echo).suspects[0].score == ranked(echo[:1]).suspects[0].score
    two = [spoke("a.one", name="first"), spoke("a.one", name="second")]
    assert ranked(two).suspects[0].score > ranked(two[:1]).suspects[0].score


def test_earlier_wins_among_equals() -> None:
    assert order(ranked([spoke("z.early", line=3), spoke("a.late", line=9)])) == ["z.early", "a.late"]


def test_a_finer_cause_takes_over_the_evidence_of_the_broader() -> None:
    found = ranked([spoke("mem.oom", weight=0.9, direct=True), spoke("mem.oom.cgroup", weight=0.3)], "137", KILLED)
    assert order(found) == ["mem.oom.cgroup", "sig.stop"]
    assert found.suspects[0].tier == DIRECT
    assert len(found.suspects[0].matches) == 2


def test_against_rules_out_all_but_direct_evidence() -> None:
    against = spoke("mem.oom", Role.AGAINST, exits=("0",))
    found = ranked([against, spoke("mem.oom.cgroup", weight=0.9)], "0")
    assert order(found) == []
    assert [cause for cause, _ in found.ruled_out] == ["mem.oom.cgroup"]
    assert order(ranked([against, spoke("mem.oom.cgroup", direct=True)], "0")) == ["mem.oom.cgroup"]


def test_what_was_never_suspected_can_still_be_ruled_out() -> None:
    assert [cause for cause, _ in ranked([spoke("mem.oom", Role.AGAINST)]).ruled_out] == ["mem.oom"]


@pytest.mark.parametrize("given", ["", "137", "1"])
def test_against_needs_its_exit(given: str) -> None:
    assert ranked([spoke("mem.oom", Role.AGAINST, exits=("0",))], given).ruled_out == ()


def test_facts_alone_need_their_exit_too() -> None:
    shm = spoke("shm.small", exits=("135",), facts_only=True)
    assert order(ranked([shm])) == []
    assert order(ranked([shm], "137")) == []
    assert order(ranked([shm], "135")) == ["shm.small"]
    counted = spoke("mem.oom", exits=("137",), facts_only=True, direct=True)
    assert order(ranked([counted])) == ["mem.oom"], "a counted kill has one meaning, whatever the exit was"
    assert order(ranked([counted], "135")) == []


@pytest.mark.parametrize(
    ("exits", "given", "fits"),
    [
        (("137",), "-9", True),
        (("SIGKILL",), "137", True),
        (("OOMKilled",), "OOMKilled", True),
        (("139",), "137", False),
        (("1", "139"), "1", True),
        ((), "3", True),
        (("139",), "", True),
    ],
)
def test_fits_exit(exits: tuple[str, ...], given: str, fits: bool) -> None:
    statuses = [ExitStatus.parse(given)] if given else []
    assert fits_exit(spoke("a.b", exits=exits), statuses) is fits


def stated(code: str, cause: str) -> Stated:
    """An exit that a log states, with one candidate."""
    meaning = ExitMeaning(code, code, "", candidates=(Candidate(cause, ""),))
    return Stated(ExitStatus.parse(code), meaning, spoke("app.any", Role.STATUS, name=f"status {code}"))


def test_a_stated_signal_tells_more_than_the_codes_and_the_sigterm_beside_it() -> None:
    found = ranked(
        [],
        "1",
        ExitMeaning("1", "", "", candidates=(Candidate("app.error", ""),)),
        [stated("-15", "sig.term"), stated("-9", "mem.oom"), stated("1", "app.error")],
    )
    assert order(found)[0] == "mem.oom"
    assert "sig.term" not in order(found)


def test_a_cause_that_only_fits_a_stated_exit_does_not_lower_what_a_text_says() -> None:
    by_text = spoke("net.hang", weight=0.4)
    found = ranked([by_text], stated=[stated("139", "mem.oom")])
    hang = next(suspect for suspect in found.suspects if suspect.cause == "net.hang")
    assert hang.likelihood is Likelihood.LIKELY
    assert order(found)[0] == "net.hang"
    repeated = ranked([by_text, spoke("mem.oom", Role.SYMPTOM)])
    hang = next(suspect for suspect in repeated.suspects if suspect.cause == "net.hang")
    assert hang.likelihood is Likelihood.POSSIBLE


def test_under() -> None:
    assert under("a.b.c", "a.b")
    assert under("a.b", "a.b")
    assert not under("a.bc", "a.b")


CAUSES = ["mem.oom", "mem.oom.cgroup", "net.peer_died", "net.hang", "app.error"]
SPOKEN = st.lists(
    st.builds(
        spoke,
        st.sampled_from(CAUSES),
        st.sampled_from([Role.ROOT, Role.SYMPTOM, Role.AGAINST]),
        st.sampled_from([0.1, 0.5, 0.9]),
        st.booleans(),
        st.integers(1, 9),
        st.integers(0, 2),
        st.sampled_from([(), ("137",), ("0",)]),
    ),
    max_size=8,
)


@given(SPOKEN, st.randoms(use_true_random=False), st.sampled_from(["", "137", "0"]))
def test_the_order_of_evidence_never_changes_the_answer(matches: list[Match], random: object, given: str) -> None:
    shuffled = list(matches)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = ranked(matches, given, KILLED), ranked(shuffled, given, KILLED)
    assert order(first) == order(second)
    assert [suspect.score for suspect in first.suspects] == [suspect.score for suspect in second.suspects]
    assert [cause for cause, _ in first.ruled_out] == [cause for cause, _ in second.ruled_out]
    assert all(0 <= suspect.score <= 1 for suspect in first.suspects)


@given(SPOKEN)
def test_no_cause_is_both_suspected_and_ruled_out(matches: list[Match]) -> None:
    found = ranked(matches, "137", KILLED)
    assert not {cause for cause, _ in found.ruled_out} & set(order(found))
    assert len(set(order(found))) == len(order(found))
