"""From files to the answer: what documents state becomes the status, the first cause and what is ruled out."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gpudoctor.explain import ExplainSettings, explain_exit, recent_lines
from gpudoctor.model.explanation import Explained, Likelihood, Verdict
from intake_samples import SAMPLES


def explain(folder: Path, status: str, **documents: str) -> Explained:
    """The answer for documents given as `name=text`."""
    paths = []
    for name, text in documents.items():
        path = folder / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    return explain_exit(ExplainSettings(status=status, evidence=tuple(paths)))


def first(explained: Explained) -> str:
    """The first cause."""
    return explained.explanations[0].cause if explained.explanations else explained.verdict.value


@pytest.mark.parametrize(
    ("sample", "cause", "code"),
    [
        ("container_inspect/oom", "memory.host_oom_kill.cgroup", 137),
        ("pod/json", "memory.host_oom_kill.cgroup", 137),
        ("pod/yaml", "k8s.eviction", None),
        ("pod_describe/oom", "memory.host_oom_kill.cgroup", 137),
        ("events/json", "k8s.eviction", None),
        ("slurm/sacct", "memory.host_oom_kill.slurm", 0),
        ("slurm/scontrol", "hw.node_failed", 129),
        ("slurm/sacct -P", "signal.sigsegv_unexplained", 139),
    ],
)
def test_a_document_alone_gives_status_and_cause(tmp_path: Path, sample: str, cause: str, code: int | None) -> None:
    explained = explain(tmp_path, "", document=SAMPLES[sample])
    assert first(explained) == cause
    assert explained.status is not None
    assert explained.status.code == code


def test_a_killed_child_of_a_job_that_ended_well_is_ruled_out(tmp_path: Path) -> None:
    state = '{"State": {"Status": "exited", "OOMKilled": true, "ExitCode": 0}}'
    explained = explain(tmp_path, "", inspect=state)
    assert explained.verdict is Verdict.NO_FAILURE
    (ruled_out,) = explained.ruled_out
    assert ruled_out.cause.startswith("memory.host_oom_kill")
    assert "ended with 0" in ruled_out.reason
    assert "crash.oom_killed = true" in ruled_out.evidence[0].text


def test_the_given_status_outweighs_a_stated_one(tmp_path: Path) -> None:
    explained = explain(tmp_path, "139", pod=SAMPLES["pod/json"])
    assert explained.status is not None
    assert explained.status.given == "139"


def test_counters_with_137_are_proof_and_without_it_a_hint(tmp_path: Path) -> None:
    explained = explain(tmp_path, "137", counters=SAMPLES["cgroup/events"])
    assert first(explained) == "memory.host_oom_kill.cgroup"
    assert explained.explanations[0].likelihood is Likelihood.CONFIRMED
    explained = explain(tmp_path, "137", counters="oom 0\noom_kill 0\n")
    assert "memory.host_oom_kill.cgroup" in [item.cause for item in explained.ruled_out]


def test_the_order_of_files_decides_nothing(tmp_path: Path) -> None:
    names = ["container_inspect/oom", "kernel_log/machine", "notes/mixed", "nvidia_smi/table", "slurm/scontrol"]
    answers = set()
    for arrangement in itertools.islice(itertools.permutations(names), 0, None, 17):
        documents = {name.partition("/")[0]: SAMPLES[name] for name in arrangement}
        explained = explain(tmp_path, "", **documents)
        answers.add(tuple((item.cause, item.score, item.evidence) for item in explained.explanations))
    assert len(answers) == 1


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    explained = explain(tmp_path, "1", empty="", prose="once upon a time\n", cut='{"State": {"ExitCode": 1, "OOM')
    said = "\n".join(explained.unused)
    assert "empty.txt: it is empty" in said
    assert "prose.txt: read as log (1 lines); nothing in it is known" in said
    assert "cut.txt: it is not whole JSON" in said


def test_evidence_from_elsewhere_keeps_us_from_looking_here(tmp_path: Path) -> None:
    assert explain(tmp_path, "137", counters=SAMPLES["cgroup/events"]).looked_at == ()


OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
WENT_ON = "".join(f"step {number} loss 0.1\n" for number in range(5))


@pytest.mark.parametrize(
    ("status", "log", "cause"),
    [
        ("", OOM + "batch 32 it is\nTraining finished successfully.\n", "benign.no_failure"),
        ("0", OOM + WENT_ON, "benign.no_failure"),
        ("0", WENT_ON + OOM, "memory.gpu_oom"),  # `python train.py | tee log` ends with tee's 0
        ("", OOM + WENT_ON, "memory.gpu_oom"),
        ("0", "UserWarning: " + OOM, "benign.no_failure"),
        ("1", OOM + "Training finished successfully.\n", "memory.gpu_oom"),
        ("", "Training finished successfully.\n" + OOM, "memory.gpu_oom"),
        ("137", OOM, "memory.host_oom_kill"),
        ("1", OOM, "memory.gpu_oom"),
        ("137", OOM + "worker rank 3 exitcode: 1\n", "memory.gpu_oom"),
    ],
)
def test_what_a_job_got_over_or_cannot_have_died_of_is_not_blamed(
    tmp_path: Path, status: str, log: str, cause: str
) -> None:
    explained = explain(tmp_path, status, log=log)
    assert first(explained) == cause
    assert any(item.cause == "memory.gpu_oom" and item.evidence for item in explained.explanations)


def test_a_cut_out_piece_of_describe_still_tells_how_a_container_ended(tmp_path: Path) -> None:
    piece = """\
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       OOMKilled
"""
    explained = explain(tmp_path, "", describe=piece)
    assert first(explained).startswith("memory.host_oom_kill")
    assert explained.status is not None
    assert explained.status.reason == "OOMKilled"


def test_only_lines_of_the_last_minutes_tell_of_this_crash() -> None:
    lines = ["[ 1000.000000] early", "[ 9500.000000] late", "[Sat Nov 28 21:00:00 2026] undated", "no stamp"]
    assert recent_lines(lines, 10_000.0) == ("[ 9500.000000] late",)
