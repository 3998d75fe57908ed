"""The causes as texts for tired readers: complete, safe to paste, and never in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.cause import Actor, Cause, Remedy

CATALOGUE = Catalogue(find_rules(), known_specs())
CAUSES = CATALOGUE.causes
PLACEHOLDER = re.compile(r"\{[^{}\s]+\}")

# What users of this field are known to run into; other programs name causes by these ids.
PUBLIC_IDS = """
memory.host_oom_kill memory.gpu_oom memory.shm_too_small driver.too_old_for_cuda driver.kernel_user_mismatch
driver.not_loaded driver.forward_compat_unsupported driver.fabric_manager_not_running driver.uvm_unknown_error
container.no_gpu_passthrough container.toolkit_not_configured container.nvml_lost_after_daemon_reload
container.seccomp_blocks_syscall wheel.cpu_only_build wheel.no_kernel_image_for_arch wheel.abi_undefined_symbol
wheel.extension_not_compiled build.toolchain loader.library_shadowed_by_ld_library_path loader.missing_shared_library
loader.glibc_too_old native.library_conflict exec.command_not_found exec.wrong_architecture exec.permission_denied
exec.crlf_shebang python.module_not_found python.version_unsupported python.numpy_abi python.package_version_conflict
cpu.fork_after_cuda nccl.version_mismatch nccl.socket_interface nccl.timeout_hang nccl.p2p_iommu_acs nccl.ib_transport
nccl.peer_died dist.port_in_use dist.launcher_mismatch cuda.device_side_assert cuda.illegal_memory_access
cuda.launch_failure cuda.invalid_device_ordinal cuda.device_held_by_other_process hw.xid_48_dbe_ecc
hw.xid_79_fell_off_bus hw.nvlink_error signal.sigterm_preempted signal.sighup_terminal_closed
signal.sigill_cpu_instruction signal.sigabrt_cpp_exception signal.sigsegv_unexplained signal.sigbus_file_mapping
k8s.eviction k8s.probe_kill k8s.gpu_unschedulable limits.memlock limits.nofile limits.pids_thread_create
storage.disk_full storage.permission_denied storage.corrupt_or_incomplete_file net.auth_gated_model
net.download_failed app.config_or_code_error benign.no_failure
""".split()


@pytest.fixture(params=sorted(CAUSES))
def cause(request: pytest.FixtureRequest) -> Cause:
    return CAUSES[request.param]


def _texts(remedy: Remedy) -> str:
    return f"{remedy.text}\n{remedy.command}\n{remedy.verify}"


def test_no_published_id_is_lost() -> None:
    known = set(CAUSES) | set(CATALOGUE.retired)
    assert set(PUBLIC_IDS) <= known


def test_a_cause_says_what_happened_how_it_shows_and_where_to_read_on(cause: Cause) -> None:
    assert len(cause.title) <= 80
    assert not cause.title.endswith(".")
    assert len(cause.meaning.split()) >= 15
    assert len(cause.shows.split()) >= 5
    assert cause.references
    for reference in cause.references:
        assert reference.url.startswith("https://")
        assert reference.title
        assert reference.accessed >= "2026-11-20"


def test_a_cause_can_be_mended_when_no_fact_is_known(cause: Cause) -> None:
    plain = [remedy for remedy in cause.remedies if not PLACEHOLDER.search(_texts(remedy))]
    assert plain
    assert any(remedy.text.strip() for remedy in plain)


def test_a_finer_cause_has_its_broader_one(cause: Cause) -> None:
    parts = cause.id.split(".")
    if len(parts) == 3:
        assert ".".join(parts[:2]) in CAUSES


def test_a_cause_explains_only_others(cause: Cause) -> None:
    for other in cause.explains:
        assert other in CAUSES
        assert cause.id not in _reach(other), f"{cause.id} and {other} explain each other"


def _reach(cause_id: str) -> set[str]:
    found: set[str] = set()
    ahead = list(CAUSES[cause_id].explains)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += CAUSES[name].explains
    return found


def _commands() -> Iterator[tuple[str, Actor, str]]:
    for entry in CAUSES.values():
        for remedy in entry.remedies:
            for command in (remedy.command, remedy.verify):
                if command:
                    yield entry.id, remedy.who, command


@pytest.mark.parametrize(
    "pattern",
    [
        r"\brm\s+-\w*r",
        r"\bmkfs\b",
        r"\bdd\s+if=",
        r"curl[^|]*\|\s*(sudo\s+)?(ba)?sh",
        r"--privileged",
        r"chmod\s+-R?\s*777",
    ],
)
def test_no_command_destroys_or_opens_the_machine(pattern: str) -> None:
    assert [entry for entry in _commands() if re.search(pattern, entry[2])] == []


def test_drivers_are_installed_by_the_host_only() -> None:
    install = re.compile(
        r"(apt|dnf|yum|ubuntu-drivers)[^\n]*(install)[^\n]*(nvidia-driver|cuda-drivers)|ubuntu-drivers|modprobe"
    )
    for cause_id, who, command in _commands():
        if install.search(command):
            assert who in (Actor.HOST, Actor.CLUSTER), f"{cause_id}: {command}"


def test_sudo_belongs_to_the_host() -> None:
    assert [entry for entry in _commands() if "sudo " in entry[2] and entry[1] not in (Actor.HOST, Actor.CLUSTER)] == []


def test_pip_takes_torch_from_an_official_index() -> None:
    for cause_id, _, command in _commands():
        for url in re.findall(r"--(?:extra-)?index-url\s+(\S+)", command):
            assert re.fullmatch(r"https://download\.pytorch\.org/whl/(cu\d{3}|cpu|rocm[\d.]+)", url), cause_id


def test_a_death_by_memory_explains_what_the_other_ranks_report() -> None:
    assert {"nccl.peer_died", "nccl.timeout_hang"} <= _reach("memory.host_oom_kill")
    assert "nccl.peer_died" in _reach("hw.xid_79_fell_off_bus")
    assert "container.no_gpu_passthrough" in _reach("driver.not_loaded")
    assert "memory.host_oom_kill" not in _reach("nccl.peer_died")
