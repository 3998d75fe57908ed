"""The exit entries and the error tables: everything that people paste resolves, and points at causes that exist."""

from __future__ import annotations

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.exit_status import ExitMeaning, ExitStatus, signal_name

CATALOGUE = Catalogue(find_rules(), known_specs())
EXITS = CATALOGUE.exits


def _meaning(given: str) -> ExitMeaning:
    meaning = CATALOGUE.exit_for(ExitStatus.parse(given))
    assert meaning is not None, given
    return meaning


def _causes(given: str) -> list[str]:
    return [candidate.cause for candidate in _meaning(given).candidates]


@pytest.mark.parametrize("entry", EXITS.values(), ids=lambda entry: entry.id)
def test_an_entry_says_enough(entry: ExitMeaning) -> None:
    assert len(entry.meaning.split()) >= 5
    assert entry.source
    assert entry.checked >= "2026-11-20"
    for candidate in entry.candidates:
        assert candidate.cause in CATALOGUE.causes
        assert candidate.looks_like
        assert candidate.decide
        assert candidate.command


@pytest.mark.parametrize("code", range(256))
def test_every_code_means_something(code: int) -> None:
    meaning = _meaning(str(code))
    assert meaning.title
    assert len(meaning.meaning.split()) >= 5


@pytest.mark.parametrize("number", [number for number in range(1, 65) if signal_name(number)])
def test_every_signal_means_something_in_all_its_spellings(number: int) -> None:
    name = signal_name(number)
    meanings = {_meaning(text).id for text in (name, f"-{number}", str(128 + number))}
    assert len(meanings) == 1, "a signal means the same however it is written"
    assert name in _meaning(name).signals


@pytest.mark.parametrize("code", range(129, 160))
def test_the_signals_of_shells_have_their_own_entry(code: int) -> None:
    assert not _meaning(str(code)).id.startswith("unlisted")


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ("137", "memory.host_oom_kill"),
        ("-9", "memory.host_oom_kill"),
        ("OOMKilled", "memory.host_oom_kill.cgroup"),
        ("0:125", "memory.host_oom_kill.slurm"),
        ("OUT_OF_MEMORY", "memory.host_oom_kill.slurm"),
        ("0:9", "memory.host_oom_kill"),
        ("139", "signal.sigsegv_unexplained"),
        ("139:0", "signal.sigsegv_unexplained"),
        ("11:0", "signal.sigsegv_unexplained"),
        ("245", "signal.sigsegv_unexplained"),
        ("134", "signal.sigabrt_cpp_exception"),
        ("135", "memory.shm_too_small"),
        ("132", "signal.sigill_cpu_instruction"),
        ("143", "signal.sigterm_preempted"),
        ("129", "signal.sighup_terminal_closed"),
        ("124", "signal.sigterm_preempted.time_limit"),
        ("127", "exec.command_not_found"),
        ("126", "exec.permission_denied"),
        ("125", "container.toolkit_not_configured.docker_cannot_start"),
        ("159", "container.seccomp_blocks_syscall"),
        ("2", "app.config_or_code_error.bad_arguments"),
        ("0", "benign.no_failure"),
        ("Evicted", "k8s.eviction"),
        ("NODE_FAIL", "hw.node_failed"),
        ("TIMEOUT", "signal.sigterm_preempted.time_limit"),
        ("0xC0000005", "signal.sigsegv_unexplained"),
        ("-1073741515", "loader.missing_shared_library.windows_dll"),
    ],
)
def test_the_most_usual_cause_comes_first(given: str, first: str) -> None:
    assert _causes(given)[0] == first


def test_sigkill_has_more_senders_than_the_oom_killer() -> None:
    assert {
        "signal.sigterm_preempted.grace_period_expired",
        "k8s.probe_kill",
        "k8s.eviction",
        "limits.cpu_time",
    } <= set(_causes("137"))


def test_an_abort_of_process_1_is_a_candidate_for_139() -> None:
    assert "signal.sigabrt_cpp_exception" in _causes("139")
    assert "--init" in _meaning("139").note


def test_torchrun_hides_signals_behind_1() -> None:
    assert "torchrun" in _meaning("1").meaning
    assert "memory.host_oom_kill" in _causes("1")


def test_every_windows_code_and_signed_spelling_agree() -> None:
    for entry in EXITS.values():
        if entry.contexts == ("windows",):
            code = entry.codes[0]
            assert _meaning(f"0x{code:08X}").id == _meaning(str(code - 2**32)).id == entry.id


def test_sysexits_and_systemd_codes_are_all_there() -> None:
    listed = {code for entry in EXITS.values() for code in entry.codes}
    assert set(range(64, 79)) <= listed
    assert set(range(200, 245)) - {223, 234} <= listed


@pytest.mark.parametrize("table", ["xid", "cuda_errors", "nvml_errors"])
def test_error_tables_point_at_causes_that_exist(table: str) -> None:
    for row in CATALOGUE.tables[table].rows:
        assert row.known("meaning"), row
        cause = row.known("cause")
        assert cause is None or cause in CATALOGUE.causes, cause
        assert row.source
        assert row.checked


def test_all_xid_numbers_are_there() -> None:
    assert {row["xid"] for row in CATALOGUE.tables["xid"].rows} == set(range(1, 177))


@pytest.mark.parametrize(
    ("table", "key", "cause"),
    [
        ("xid", {"xid": 79}, "hw.xid_79_fell_off_bus"),
        ("xid", {"xid": 119}, "hw.xid_79_fell_off_bus.gsp_timeout"),
        ("xid", {"xid": 48}, "hw.xid_48_dbe_ecc"),
        ("xid", {"xid": 31}, "cuda.illegal_memory_access"),
        ("xid", {"xid": 74}, "hw.nvlink_error"),
        ("cuda_errors", {"code": 804}, "driver.forward_compat_unsupported"),
        ("cuda_errors", {"code": 803}, "driver.kernel_user_mismatch.compat"),
        ("cuda_errors", {"code": 802}, "driver.fabric_manager_not_running"),
        ("cuda_errors", {"code": 209}, "wheel.no_kernel_image_for_arch"),
        ("cuda_errors", {"code": 34}, "driver.stub_library"),
        ("nvml_errors", {"code": 18}, "driver.kernel_user_mismatch"),
        ("nvml_errors", {"code": 9}, "driver.not_loaded"),
        ("nvml_errors", {"code": 15}, "hw.xid_79_fell_off_bus"),
        ("nvml_errors", {"code": 4}, "container.device_access_denied"),
    ],
)
def test_error_numbers_lead_to_their_cause(table: str, key: dict[str, int], cause: str) -> None:
    row = CATALOGUE.tables[table].find(**key)
    assert row is not None
    assert row["cause"] == cause


def test_a_consequence_has_no_cause_of_its_own() -> None:
    row = CATALOGUE.tables["xid"].find(xid=45)
    assert row is not None
    assert row.known("cause") is None
