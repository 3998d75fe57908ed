"""What only speaks of a fault is told apart from what reports one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.diagnose import CheckSettings
from gpudoctor.documents import judge_text
from gpudoctor.intake.mentions import is_mention, without_mentions
from gpudoctor.model.document import Line
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity

WORDS = (
    "CUDA out of memory",
    "OOMKilled",
    "no kernel image is available",
    "Bus error",
    "No module named",
    "libcuda.so.1",
)

MENTIONS = [
    "A `CUDA out of memory` error can often be avoided with a smaller batch.",
    "such as `OOMKilled`, or empty, where the scheduler has a word of its own for it",
    "If you see CUDA out of memory, lower the batch size.",
    "- If you get `no kernel image is available`, install a newer build.",
    "The RuntimeError: CUDA out of memory occurs when the GPU has too little memory for the model.",
    "| `exit.reason` | a scheduler's own word, such as `OOMKilled`, or empty |",
    "* `OOMKilled` => the container was over its limit",
    "1. `Bus error`: raise --shm-size",
    'page = report_of("RuntimeError: CUDA error: no kernel image is available for execution on the device")',
    'log = "DataLoader worker (pid 812) is killed by signal: Bus error."',
    '    if "CUDA out of memory" in str(error):',
    "    raise RuntimeError('CUDA out of memory')",
    "$ dmesg | grep OOMKilled",
    "gpudoctor explain-exit OOMKilled",
    "Whenever the log says “CUDA out of memory”, it is about the GPU and not about the machine.",
    "You might see libcuda.so.1 reported as missing on a machine without a driver.",
]
REPORTS = [
    "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "torch.OutOfMemoryError: CUDA out of memory. If reserved but unallocated memory is large try setting it",
    "I get `CUDA out of memory` after two epochs although the GPU is empty.",
    "When we start the job it ends with `no kernel image is available` on every node.",
    "Training crashes with `CUDA out of memory` in the second epoch.",
    "RuntimeError: DataLoader worker (pid 812) is killed by signal: Bus error. It is possible that the workers "
    "are out of shared memory. Please try to raise your shared memory limit.",
    "    Reason:       OOMKilled",
    "Last State: Terminated, Reason: OOMKilled",
    "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
    "ModuleNotFoundError: No module named 'torch'",
    'time="2026-01-02T03:04:05Z" level=error msg="CUDA out of memory"',
    '2026-01-02 03:04:05 ERROR worker said "CUDA out of memory" and went away',
    '{"level": "error", "message": "CUDA out of memory"}',
    'docker: Error response from daemon: exec: "libcuda.so.1": executable file not found in $PATH: unknown.',
    "> RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "My training dies: CUDA out of memory",
    "- The error that came (please paste it): `CUDA out of memory`",
    "If you are a user of the module, the easiest solution will be to set CUDA out of memory aside",
    "[rank0]: RuntimeError: CUDA out of memory",
]


def speaks(text: str) -> bool:
    return any(word in text for word in WORDS)


@pytest.mark.parametrize("line", MENTIONS)
def test_a_mention_is_one(line: str) -> None:
    assert speaks(line)
    assert is_mention(line, speaks)


@pytest.mark.parametrize("line", REPORTS)
def test_a_report_is_none(line: str) -> None:
    assert speaks(line)
    assert not is_mention(line, speaks)


def test_source_code_in_fences_is_none_but_output_in_fences_is_kept() -> None:
    text = "```toml\nCUDA out of memory\n```\n\n```python\nCUDA out of memory\n```\n```\nCUDA out of memory\n```\n"
    lines = [Line(number, "CUDA out of memory") for number in (2, 6, 9)]
    kept = without_mentions(text.encode(), lines, speaks).decode().split("\n")
    assert [number for number, line in enumerate(kept, start=1) if "memory" in line] == [6, 9]


def test_a_text_without_mentions_stays_what_it_is() -> None:
    data = b"RuntimeError: CUDA out of memory\n"
    assert without_mentions(data, [Line(1, data.decode().strip())], speaks) is data


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=3_000))
def test_any_line_is_read(line: str) -> None:
    is_mention(line, speaks)


@pytest.mark.parametrize("line", ["a " * 50_000, '"' * 50_000, "`a` " * 20_000, "| " * 30_000, "The " + "x " * 50_000])
def test_hostile_lines_end_soon(line: str) -> None:
    is_mention(line, lambda _piece: True)


GUIDE = """# Troubleshooting

Most failures are told by one line. A `CUDA out of memory` error means that the GPU was full; if you see
"no kernel image is available for execution on the device", the build has no code for your GPU.

- `libcuda.so.1: cannot open shared object file`: there is no driver in the container
- If a pod says OOMKilled, raise its memory limit.

| message | what to do |
|---|---|
| `NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver` | load the driver |
"""


def failed(text: str) -> list[str]:
    findings = judge_text("text.md", text.encode(), CheckSettings()).diagnosis.findings
    return [one.cause for one in findings if one.kind is Kind.FAIL and one.severity is not Severity.NOTE]


def test_a_guide_is_no_failure() -> None:
    try:
        assert failed(GUIDE) == []
    except ExaminationError as error:
        assert "holds nothing that gpudoctor understands" in str(error)  # noqa: PT017 - either answer is right


def test_a_report_below_a_guide_is_one() -> None:
    assert failed(GUIDE + "\n```\nRuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n```\n") == [
        "memory.gpu_oom"
    ]
