"""Jobs of a real Ray that fail: what the driver printed, whoever passed it on, leads to the first cause."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command import gpudoctor, validator
from crashes import explain
from gpudoctor.explain import explain_documents, triggers_of
from gpudoctor.intake.registry import read_evidence
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.exit_status import ExitStatus
from ray_cluster import JOBS, alone, require_ray, settings, short_folder

pytestmark = [pytest.mark.rig, pytest.mark.slow]

SEGV = ("native.library_conflict", "signal.sigsegv_unexplained")
MEMORY = "memory.host_oom_kill"
CASES = [
    # job, what Ray printed, first cause, how sure (exactly), what is quoted
    ("task-segv", "*** SIGSEGV received", SEGV, "possible", "Fatal Python error: Segmentation fault"),
    ("task-abort", "*** SIGABRT received", ("signal.sigabrt_cpp_exception",), "possible", "SIGABRT received"),
    # Of these two Ray knows no more than that a connection was closed.
    ("task-killed", "WorkerCrashedError", (MEMORY,), "possible", "Worker exit type: SYSTEM_ERROR"),
    ("task-exits", "WorkerCrashedError", (MEMORY,), "possible", "Worker exit type: SYSTEM_ERROR"),
    ("actor-killed", "ActorDiedError", (MEMORY,), "possible", "Worker exit type: SYSTEM_ERROR"),
    ("task-told", "receives a SIGTERM", ("signal.sigterm_preempted",), "possible", "receives a SIGTERM"),
    ("task-raises", "RayTaskError(ValueError)", ("app.config_or_code_error",), "likely", "got 4"),
    ("task-leaves", "WorkerCrashedError", ("app.config_or_code_error",), "likely", "with an exit code 4"),
    ("actor-removed", "ActorDiedError", ("app.config_or_code_error",), "likely", "ray.kill"),
    ("unready-none", "ActorDiedError", ("app.config_or_code_error",), "likely", "no checkpoint under"),
    ("gpu-none", "GetTimeoutError", ("k8s.gpu_unschedulable",), "confirmed", "'GPU': 1.0"),
    ("task-hungry", "OutOfMemoryError", (f"{MEMORY}.ray_monitor",), "confirmed", "running low on memory"),
    ("node-lost", "ActorUnavailableError", ("hw.node_failed",), "likely", "Raylet is terminated"),
]
IDS = [case[0] for case in CASES]


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text)


PASSED_ON: dict[str, Callable[[str], str]] = {
    "without colour": uncoloured,
    "syslog": lambda text: text.replace("\x1b", "#033"),
    "container runtime": lambda text: re.sub("^", "2026-11-29T01:19:15.340125731Z stderr F ", text, flags=re.MULTILINE),
    "Windows": lambda text: text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize(("name", "said", "causes", "sure", "quoted"), CASES, ids=IDS)
def test_a_job_on_ray(ray_jobs, name: str, said: str, causes: tuple[str, ...], sure: str, quoted: str) -> None:
    died = ray_jobs[name].died
    assert died.status == 1, died.text
    assert said in uncoloured(died.text), died.text
    answer = died.is_explained_by(*causes)
    assert answer.likelihood == sure, answer.document["explanations"][:2]
    assert quoted in answer.quoted


@pytest.mark.parametrize("passed_on", PASSED_ON)
def test_jobs_on_ray_whose_output_was_passed_on(ray_jobs, tmp_path: Path, passed_on: str) -> None:
    catalogue = Catalogue(find_rules())
    for name, _said, causes, sure, quoted in CASES:
        log = tmp_path / f"{name}.log"
        log.write_bytes(PASSED_ON[passed_on](ray_jobs[name].died.text).encode())
        documents = read_evidence([str(log)], triggers_of(catalogue))
        first = explain_documents(catalogue, ExitStatus.parse("1"), documents).explanations[0]
        assert first.cause in causes, f"{name}: {first}"
        assert first.likelihood.value == sure, f"{name}: {first}"
        assert any(quoted in evidence.text for evidence in first.evidence), f"{name}: {first}"


@pytest.mark.parametrize("name", ["task-segv", "task-abort"])
def test_what_a_worker_wrote_stands_against_rays_guess(ray_jobs, name: str) -> None:
    job = ray_jobs[name]
    (written,) = job.of_workers("err")
    causes = SEGV if name.endswith("segv") else ("signal.sigabrt_cpp_exception",)
    explain(1, written).says(*causes, given=written.read_text())
    for evidence in ((job.died.log, written), (written, job.died.log)):
        first = explain(1, *evidence).says(*causes, given=job.died.text)
        assert MEMORY not in first.causes[:2]


def test_a_killed_worker_beside_one_that_aborted_stays_suspected(ray_jobs, tmp_path: Path) -> None:
    both = tmp_path / "both.log"
    both.write_text(ray_jobs["task-abort"].died.text + ray_jobs["task-killed"].died.text, encoding="utf-8")
    explain(1, both).says(MEMORY, given=both.read_text())


def test_the_raylets_log_alone_tells_of_the_memory_monitor(ray_jobs) -> None:
    log = ray_jobs["task-hungry"].session / "raylet.out"
    explain(1, log).says(f"{MEMORY}.ray_monitor", at_least="confirmed")


def test_a_job_on_ray_under_watch(tmp_path: Path) -> None:
    require_ray()
    words = ("run", "--report-dir", str(tmp_path), "--", sys.executable, JOBS, "task-segv")
    with short_folder() as session:
        ended = gpudoctor(*words, before=alone(), env=settings(session), cwd=tmp_path, timeout=150)
    assert ended.status == 1, ended.errors
    assert not ended.left
    (path,) = tmp_path.glob("gpudoctor-crash-*.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    validator().validate(report)
    first = report["explanations"][0]["explanations"][0]
    assert first["cause"] in SEGV
    assert first["likelihood"] == "possible"
    assert "Fatal Python error: Segmentation fault" in json.dumps(first["evidence"])
    assert f"[{first['cause']}, possible]" in ended.errors
    assert explain(1, path).first == first["cause"]
