"""The ring across machines: what is decided for all ranks, and what facts come of what they told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gpudoctor.probe
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason
from gpudoctor.probe import ring_across, zygote
from gpudoctor.probe.zygote import Group, Step
from scripts_alone import load

SCRIPTS = Path(gpudoctor.probe.__file__).parent / "scripts"
plan = load(SCRIPTS / "ring_plan.py")
verdict = load(SCRIPTS / "ring_verdict.py")
KEY = ring_across.PREFIX
PLACE = {"rank": 1, "world_size": 2, "address": "10.0.0.1", "port": 29500}


def member(rank: int, host: str, address: str, interface: str = "eth0", **more: Any) -> dict[str, Any]:
    card = {"interface": interface, "address": address, "by": "GLOO_SOCKET_IFNAME"}
    return {
        "rank": rank,
        "host": host,
        "key": host,
        "interfaces": [["lo", "127.0.0.1"], ["eth0", f"10.0.0.{rank + 1}"], ["docker0", "172.17.0.1"]],
        "gloo": card,
        "nccl": dict(card, by="the order of interfaces"),
        "door": {"port": 4000 + rank, "token": "t"},
        "gpus": 0,
        "has_nccl": False,
        "torch": "2.8.0",
        "nccl_version": "",
        **more,
    }


HOSTS = [member(0, "a", "10.0.0.1"), member(1, "b", "10.0.0.2")]
GPUS = [dict(one, gpus=8, has_nccl=True) for one in HOSTS]


def knocks(hosts: list[dict[str, Any]], lost: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What the hosts see of one another; addresses in `lost` do not answer."""
    rows = [door for host in hosts for door in plan.doors(host, hosts)]
    return [dict(row, error="timed_out") if row["address"] in lost else row for row in rows]


def told(**line: Any) -> Facts:
    """The facts of what the step said."""
    outcome = line.pop("ended", {"outcome": "completed"})
    lines = (
        {"step": "torch_import", "outcome": "imported"},
        {"step": "ring_across", **line},
        {"step": "ring_across", **outcome},
    )
    asked = zygote.plan_for(10.0, True, (Group("ring_across", (Step("ring_across", options=PLACE),)),))
    return Facts(ring_across.facts(ChildEnd(End.EXITED, lines=lines), asked))


def failed(**more: Any) -> dict[str, Any]:
    return {"outcome": "timed_out", "phase": "join", "failed_ranks": [], "backend": "gloo", "failed_hosts": [], **more}


def test_ranks_of_one_host_knock_once_and_never_at_home() -> None:
    four = [*HOSTS, member(2, "a", "10.0.0.1"), member(3, "b", "10.0.0.2")]
    assert [one["rank"] for one in plan.leaders(four)] == [0, 1]
    rows = plan.doors(four[0], plan.leaders(four))
    assert {(row["to_host"], row["address"]) for row in rows} == {("b", "10.0.0.2"), ("b", "172.17.0.1")}


def test_an_announced_loopback_is_knocked_at_too() -> None:
    rows = plan.doors(HOSTS[0], [HOSTS[0], member(1, "b", "127.0.1.1", "lo")])
    assert "127.0.1.1" in [row["address"] for row in rows]


def test_the_backend_is_nccl_only_where_all_have_it() -> None:
    assert plan.backend(GPUS)[0] == "nccl"
    assert plan.backend([GPUS[0], HOSTS[1]]) == ("gloo", "no GPU at rank 1")
    assert plan.backend([GPUS[0], dict(GPUS[1], has_nccl=False)]) == ("gloo", "no NCCL at rank 1")


def test_a_better_interface_is_one_that_all_others_reach() -> None:
    hosts = [HOSTS[0], member(1, "b", "172.17.0.1", "docker0")]
    found = plan.better_interfaces("gloo", hosts, knocks(hosts, lost=("172.17.0.1",)))
    assert found == {"a": {"GLOO_SOCKET_IFNAME": "eth0"}, "b": {"GLOO_SOCKET_IFNAME": "eth0"}}
    assert plan.better_interfaces("nccl", hosts, knocks(hosts, lost=("172.17.0.1",)))["b"] == {
        "NCCL_SOCKET_IFNAME": "=eth0"
    }
    assert plan.better_interfaces("gloo", HOSTS, knocks(HOSTS)) == {}
    assert plan.better_interfaces("gloo", hosts, knocks(hosts, lost=("172.17.0.1", "10.0.0.2"))) == {}


def test_what_is_tried_next() -> None:
    first = failed(what="")
    assert plan.next_try("gloo", HOSTS, knocks(HOSTS), [first]) == {}
    assert plan.next_try("nccl", GPUS, knocks(GPUS), [first])["what"] == "NCCL_IB_DISABLE=1"
    tried = [first, failed(what="NCCL_IB_DISABLE=1")]
    assert plan.next_try("nccl", GPUS, knocks(GPUS), tried)["what"] == "NCCL_P2P_DISABLE=1"
    assert plan.next_try("nccl", GPUS, knocks(GPUS), [first, failed(what="x", outcome="passed")]) == {}
    assert plan.next_try("nccl", GPUS, knocks(GPUS), [failed(what="", outcome="crashed", signal=9)]) == {}


def test_a_rank_that_never_told_its_end_is_gone() -> None:
    ends = {0: {"rank": 0, "phase": "all_reduce", "state": "posted", "order": 3, "killed": True, "measured": []}}
    found = plan.verdict(verdict, HOSTS, ends)
    assert (found["outcome"], found["failed_ranks"], found["failed_hosts"]) == ("crashed", [1], ["b"])


def test_facts_of_a_ring_that_passed() -> None:
    measured = [{"bytes": 9, "seconds": 1.0, "bus_bandwidth": 5e9}]
    facts = told(members=HOSTS, missing=[], reach=knocks(HOSTS), ring=failed(outcome="passed", measured=measured))
    assert (facts.text(KEY + "outcome"), facts.text(KEY + "fault")) == ("passed", "none")
    assert facts[KEY + "host_names"] == ("a", "b")
    assert facts[KEY + "bus_bandwidth_bytes_per_second"] == 5e9
    assert facts[KEY + "torch_versions"] == ("2.8.0",)


LOOPBACK = [HOSTS[0], member(1, "b", "127.0.1.1", "lo")]
LOOPBACK[1]["gloo"] = dict(LOOPBACK[1]["gloo"], by="host name")
DOCKER = [HOSTS[0], member(1, "b", "172.17.0.1", "docker0")]
MISSING = [HOSTS[0], member(1, "b", "", "eth9")]
MISSING[1]["gloo"] = dict(MISSING[1]["gloo"], missing="eth9")


@pytest.mark.parametrize(
    ("members", "lost", "ring", "fault", "words"),
    [
        (LOOPBACK, ("127.0.1.1",), failed(), "loopback_announced", "no rank came back from join"),
        (
            MISSING,
            (),
            failed(outcome="failed", failed_ranks=[1], failed_hosts=["b"]),
            "interface_missing",
            "rank 1 on b",
        ),
        (DOCKER, ("172.17.0.1",), failed(), "interface_unreachable", "no rank came back"),
        (HOSTS, ("10.0.0.2", "172.17.0.1"), failed(), "ports_blocked", "no rank came back"),
        (HOSTS, (), failed(), "hang", "no rank came back from join"),
        (HOSTS, (), failed(outcome="crashed", failed_ranks=[1], failed_hosts=["b"], signal=9), "rank_ended", "SIGKILL"),
        (HOSTS, (), failed(outcome="wrong_result", failed_ranks=[0]), "wrong_result", "rank 0"),
    ],
)
def test_the_fault_is_named(
    members: list[dict[str, Any]], lost: tuple[str, ...], ring: dict[str, Any], fault: str, words: str
) -> None:
    facts = told(members=members, missing=[], reach=knocks(members, lost), ring=ring, tries=[ring])
    assert facts.text(KEY + "fault") == fault
    assert words in str(facts.text(KEY + "how_it_ended"))
    assert len(facts[KEY + "unreachable"]) == len([row for row in knocks(members, lost) if "error" in row])


def test_a_strange_network_is_no_fault_of_a_ring_that_passes() -> None:
    facts = told(members=DOCKER, missing=[], reach=knocks(DOCKER, ("172.17.0.1",)), ring=failed(outcome="passed"))
    assert facts.text(KEY + "fault") == "none"


def test_what_made_it_pass_is_told_by_host() -> None:
    better = {"a": {"GLOO_SOCKET_IFNAME": "eth0"}, "b": {"GLOO_SOCKET_IFNAME": "ens1"}}
    tries = [failed(what=""), failed(what="other interfaces", outcome="passed", by_host=better)]
    facts = told(members=DOCKER, missing=[], reach=knocks(DOCKER, ("172.17.0.1",)), ring=failed(), tries=tries)
    assert facts[KEY + "works_with"] == ("GLOO_SOCKET_IFNAME=eth0 on a", "GLOO_SOCKET_IFNAME=ens1 on b")
    assert facts[KEY + "tries"] == ("other interfaces: passed",)
    alike = {key: {"NCCL_IB_DISABLE": "1"} for key in "ab"}
    tries = [failed(what=""), failed(what="NCCL_IB_DISABLE=1", outcome="passed", by_host=alike)]
    facts = told(members=HOSTS, missing=[], reach=knocks(HOSTS), ring=failed(backend="nccl"), tries=tries)
    assert (facts.text(KEY + "fault"), facts[KEY + "works_with"]) == ("transport_ib", ("NCCL_IB_DISABLE=1",))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("timed_out", "packets are dropped on the way, sent from 10.0.0.2 by eth0"),
        ("refused", "the connection was refused"),
        ("unreachable", "there is no route"),
        ("unresolved", "the name has no address (why)"),
    ],
)
def test_a_rendezvous_that_is_not_reached(error: str, words: str) -> None:
    problem = {
        "kind": "rendezvous_unreachable",
        "error": error,
        "detail": "why",
        "from": "10.0.0.2",
        "interface": "eth0",
    }
    facts = told(problem=problem)
    assert (facts.text(KEY + "outcome"), facts.text(KEY + "fault")) == ("failed", "rendezvous_unreachable")
    assert "rank 1 does not reach rank 0 at 10.0.0.1 port 29500" in str(facts.text(KEY + "how_it_ended"))
    assert words in str(facts.text(KEY + "how_it_ended"))
    assert facts[KEY + "host_names"] == ring_across.NOT_REACHED


def test_ranks_that_never_came() -> None:
    facts = told(members=HOSTS[:1], missing=[1])
    assert facts.text(KEY + "fault") == "ranks_missing"
    assert facts[KEY + "missing_ranks"] == (1,)


def test_a_step_that_is_cut_off() -> None:
    facts = told(members=HOSTS, missing=[], ended={"outcome": "timed_out", "seconds": 90.0})
    assert (facts[KEY + "outcome"].reason, facts[KEY + "fault"].reason) == (Reason.TIMED_OUT, Reason.TIMED_OUT)
    facts = told(ended={"outcome": "crashed", "signal": 11})
    assert facts.text(KEY + "fault") == "rank_ended"
    assert "SIGSEGV" in str(facts.text(KEY + "how_it_ended"))


def test_without_torch_or_distributed_there_is_none() -> None:
    facts = told(across={"not_applicable": "this torch was built without torch.distributed"})
    assert (facts[KEY + "outcome"], facts[KEY + "fault"].reason) == ("not_applicable", Reason.NOT_APPLICABLE)
    end = ChildEnd(End.EXITED, lines=({"step": "torch_import", "outcome": "imported"},))
    nothing = Facts(ring_across.facts(end, zygote.plan_for(10.0, True, ())))
    assert (nothing[KEY + "outcome"], nothing[KEY + "fault"].reason) == ("not_requested", Reason.NOT_REQUESTED)


def test_garbage_makes_no_wrong_fact() -> None:
    facts = told(members="x", missing=3, reach={"a": 1}, ring=[1], tries=7, problem=None)
    assert facts[KEY + "outcome"].reason is Reason.NO_DATA


def test_names_and_addresses_are_hidden_in_a_shared_report() -> None:
    from gpudoctor.model.diagnosis import Diagnosis, Health, RulesInfo, Target
    from gpudoctor.report.json_v1 import diagnosis_text
    from gpudoctor.report.redact import redact_diagnosis

    hosts = [member(0, "trainer-77", "10.0.0.1"), member(1, "trainer-78", "10.0.0.2")]
    ring = failed(outcome="crashed", failed_ranks=[1], failed_hosts=["trainer-78"], signal=9)
    facts = told(members=hosts, missing=[], reach=knocks(hosts, ("10.0.0.2",)), ring=ring)
    specs = {spec.key: spec for spec in ring_across.FACTS}
    whole = Diagnosis(Health.BROKEN, "", Target("live"), RulesInfo("", 0, ""), facts, ())
    text = diagnosis_text(redact_diagnosis(whole, specs), 1)
    assert "trainer" not in text
    assert "10.0.0" not in text
    assert "rank 1 on <host-1> was ended by SIGKILL" in text
