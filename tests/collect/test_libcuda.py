from __future__ import annotations

from typing import Any

import pytest

from collecting import collected
from gpudoctor.collect import libcuda
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

M = -1


def line(step: str, gpu: int = M, **answer: Any) -> dict[str, Any]:
    return {"step": step, "gpu": gpu, "call": f"call-{step}", **answer}


def facts_of(*lines: dict[str, Any], **end: Any) -> Any:
    child = ChildEnd(**{"end": End.EXITED, "lines": lines, **end})
    return collected(libcuda, MemoryHost(children={"libcuda": child}))


LOADED = line("load", value="/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.14")
VERSION = line("api_version", value=12040)


def test_a_healthy_machine() -> None:
    facts = facts_of(
        LOADED,
        VERSION,
        line("init", value=0),
        line("count", value=2),
        *(line("device", gpu, value=gpu) for gpu in (0, 1)),
        *(line("name", gpu, value="NVIDIA L4") for gpu in (0, 1)),
        line("compute_capability", 0, value=[8, 9]),
        line("compute_capability", 1, code=999),
        line("error_name.0", value="CUDA_SUCCESS"),
        line("error_text.0", value="no error"),
        line("error_name.999", value="CUDA_ERROR_UNKNOWN"),
    )
    assert facts["cuda.init_outcome"] == "ok"
    assert (facts["cuda.init_code"], facts["cuda.init_name"]) == (0, "CUDA_SUCCESS")
    assert str(facts["cuda.driver_api_version"]) == "12.4"
    assert facts["cuda.device_names"] == ("NVIDIA L4", "NVIDIA L4")
    good, bad = facts["cuda.device_compute_capabilities"]
    assert str(good) == "8.9"
    assert "999, CUDA_ERROR_UNKNOWN" in bad.detail
    assert facts["libcuda.loaded_path"].endswith("550.54.14")
    assert facts["libcuda.load_error"].reason is Reason.NOT_APPLICABLE


def test_a_refused_start_still_tells_the_version() -> None:
    name = line("error_name.804", value="CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE")
    facts = facts_of(LOADED, VERSION, line("init", code=804), name, line("error_text.804", value="forward ..."))
    assert facts["cuda.init_outcome"] == "error"
    assert (facts["cuda.init_code"], facts["cuda.init_text"]) == (804, "forward ...")
    assert str(facts["cuda.driver_api_version"]) == "12.4"
    assert "804, CUDA_ERROR_COMPAT" in facts["cuda.device_count"].detail


def test_a_library_that_is_not_there() -> None:
    words = "OSError: libcuda.so.1: cannot open shared object file: No such file or directory"
    facts = facts_of(line("load", error=words))
    assert facts["cuda.init_outcome"] == "error"
    assert facts["libcuda.load_error"] == words
    for key in ("cuda.init_code", "cuda.driver_api_version", "cuda.device_names", "libcuda.loaded_path"):
        assert facts[key].reason is Reason.NOT_INSTALLED


def test_a_library_that_is_empty_was_not_absent() -> None:
    facts = facts_of(line("load", error="OSError: /usr/lib/libcuda.so.1: file too short"))
    assert facts["cuda.init_code"].reason is Reason.NO_DATA
    assert "file too short" in facts["cuda.init_code"].detail


def test_a_start_that_kills_or_hangs() -> None:
    begun = {"step": "init", "gpu": M, "begin": "cuInit"}
    facts = facts_of(LOADED, VERSION, begun, end=End.SIGNALLED, signal="SIGSEGV", stderr="Segmentation fault")
    assert facts["cuda.init_outcome"] == "crashed"
    assert facts["cuda.init_code"].reason is Reason.CRASHED
    assert facts["cuda.stderr"] == "Segmentation fault"
    facts = facts_of(LOADED, VERSION, begun, end=End.SIGNALLED, signal="SIGALRM")
    assert facts["cuda.init_outcome"] == "timed_out"
    assert facts["cuda.device_count"].reason is Reason.TIMED_OUT


@pytest.mark.parametrize("junk", [None, "x", [], {}, -3, [None], 10**30, "\ud800", True])
def test_junk_in_any_step_never_breaks_the_collector(junk: Any) -> None:
    steps = ("name", "compute_capability", "memory", "bus_id", "device")
    start = (LOADED, line("init", value=0), line("count", value=1), line("api_version", value=junk))
    facts = facts_of(
        *start, *(line(step, 0, value=junk) for step in steps), line("error_name.0", value=junk), {}, {"step": 3}
    )
    assert facts["cuda.device_count"] == 1
    facts_of(LOADED, line("init", code=junk), line("count", value=junk))
