"""Where libraries came from: those of the wheel are at home, others are outsiders, and twice is once too often."""

from __future__ import annotations

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.probe import library_origins

SITE = "/opt/venv/lib/python3.11/site-packages"


def facts_from(*files: str, step: str = "cuda") -> Facts:
    lines = (
        {"step": "interpreter", "environment": "venv", "prefix": "/opt/venv"},
        {"step": "packages", "outcome": "completed", "places": [SITE]},
        {"step": "torch_files", "outcome": "completed", "importable": True, "locations": [f"{SITE}/torch"]},
        {"step": "torch_import", "outcome": "imported"},
        {"step": step, "files": list(files)},
    )
    return Facts(library_origins.facts(ChildEnd(End.EXITED, lines=lines), {}))


def test_everything_at_home() -> None:
    facts = facts_from(
        "/usr/lib/x86_64-linux-gnu/libcuda.so.570.86.15",
        f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12",
        f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9",
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
    )
    assert facts["torch.maps_outside"] == ()
    assert facts["torch.maps_doubled"] == ()
    assert facts["torch.libcuda_path"] == "/usr/lib/x86_64-linux-gnu/libcuda.so.570.86.15"
    assert facts["torch.libcudnn_path"] == f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9"
    assert facts["torch.libnccl_path"] == Unknown(Reason.NOT_APPLICABLE, "it was not loaded")
    assert facts["torch.maps_stage"] == "cuda"


def test_a_toolkit_of_the_system_stands_before_the_wheels() -> None:
    stray = "/usr/local/cuda-12.1/targets/x86_64-linux/lib/libnvJitLink.so.12.1.105"
    facts = facts_from(stray, f"{SITE}/nvidia/cusparse/lib/libcusparse.so.12", step="libraries")
    assert facts["torch.maps_outside"] == (stray,)
    assert facts["torch.libnvjitlink_path"] == stray
    assert facts["torch.maps_stage"] == "import"


def test_two_of_one_kind() -> None:
    one, other = f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12", "/usr/local/cuda/lib64/libcudart.so.11.0"
    facts = facts_from(one, other)
    assert facts["torch.maps_doubled"] == (f"libcudart: {one}, {other}",)


def test_parts_of_cudnn_are_not_doubles() -> None:
    facts = facts_from(f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9", f"{SITE}/nvidia/cudnn/lib/libcudnn_ops.so.9")
    assert facts["torch.maps_doubled"] == ()


def test_the_hashed_names_of_old_wheels_are_known() -> None:
    facts = facts_from(f"{SITE}/torch/lib/libcudart-d0da41ae.so.11.0")
    assert facts["torch.libcudart_path"] == f"{SITE}/torch/lib/libcudart-d0da41ae.so.11.0"
    assert facts["torch.maps_outside"] == ()


def test_nothing_listed() -> None:
    facts = Facts(library_origins.facts(ChildEnd(End.TIMED_OUT, seconds=9.0), {}))
    assert facts["torch.maps"] == Unknown(Reason.TIMED_OUT, "no answer within 9 s")
