"""Programs that never start: missing, of another architecture, with Windows line ends, not executable."""

from __future__ import annotations

from pathlib import Path

import pytest

from crashes import explain, in_shell, needed

pytestmark = [pytest.mark.rig, pytest.mark.slow]

AARCH64 = 183  # e_machine of ELF
MACHINE_AT = 18


def program(folder: Path, name: str, content: bytes, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.fixture(params=["bash", "dash"])
def shell(request: pytest.FixtureRequest) -> str:
    """The shells whose words differ; dash is what Debian and Ubuntu images call sh."""
    return str(needed(request.param)[0])


def test_a_command_that_is_not_there(shell: str, tmp_path: Path) -> None:
    died = in_shell(f"{shell} -c 'torchrun-nightly --nproc-per-node 8 train.py; exit $?'", tmp_path)
    assert died.status == 127
    died.is_explained_by("exec.command_not_found", at_least="likely")


def test_a_program_for_another_architecture(shell: str, crash: str, tmp_path: Path) -> None:
    image = bytearray(Path(crash).read_bytes())
    image[MACHINE_AT : MACHINE_AT + 2] = AARCH64.to_bytes(2, "little")
    foreign = program(tmp_path, "train-arm", bytes(image))
    died = in_shell(f"{shell} -c '{foreign}; exit $?'", tmp_path)
    if "rror" not in died.text:
        pytest.skip("this kernel runs foreign programs (binfmt_misc), or this shell takes them for a script")
    died.is_explained_by("exec.wrong_architecture", at_least="likely")


def test_windows_line_ends_in_the_first_line(tmp_path: Path) -> None:
    script = program(tmp_path, "train.sh", b"#!/bin/bash\r\necho hello\r\n")
    died = in_shell(str(script), tmp_path)
    assert died.status in (126, 127)
    # The newer bash only says that a "required file" is missing; what the first line holds decides.
    answer = died.is_explained_by("exec.crlf_shebang", "exec.interpreter_missing")
    assert "exec.crlf_shebang" in answer.causes[:2]
    head = in_shell(f"head -n 1 {script} | cat -A", tmp_path, name="first-line.txt")
    died.is_explained_by("exec.crlf_shebang", more=[head.log])


def test_windows_line_ends_after_env(tmp_path: Path) -> None:
    script = program(tmp_path, "train.py", b"#!/usr/bin/env python3\r\nprint()\r\n")
    died = in_shell(str(script), tmp_path)
    assert died.status == 127
    died.is_explained_by("exec.crlf_shebang", at_least="likely")


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    script = program(tmp_path, "train.py", b"#!/opt/conda/envs/gone/bin/python\nprint()\n")
    died = in_shell(str(script), tmp_path)
    assert died.status in (126, 127)
    answer = died.is_explained_by("exec.interpreter_missing", "exec.crlf_shebang")
    assert "exec.interpreter_missing" in answer.causes[:2]


def test_a_shared_library_that_is_not_there(tmp_path: Path) -> None:
    compiler = needed("gcc")[0]
    source = program(tmp_path, "lib.c", b"int answer(void) { return 42; }\n")
    caller = program(tmp_path, "main.c", b"int answer(void); int main(void) { return answer(); }\n")
    made = in_shell(
        f"{compiler} -shared -fPIC -o libdecoder.so.7 -Wl,-soname,libdecoder.so.7 {source} && "
        f"{compiler} -o train {caller} ./libdecoder.so.7 && rm libdecoder.so.7",
        tmp_path,
    )
    assert made.status == 0, made.text
    died = in_shell("./train", tmp_path)
    assert died.status == 127
    answer = died.is_explained_by("loader.missing_shared_library", at_least="confirmed")
    assert "libdecoder.so.7" in answer.quoted


def test_a_script_without_the_execute_bit(shell: str, tmp_path: Path) -> None:
    script = program(tmp_path, "train.sh", b"#!/bin/sh\n", mode=0o644)
    died = in_shell(f"{shell} -c '{script}; exit $?'", tmp_path)
    assert died.status == 126
    died.is_explained_by("exec.permission_denied", at_least="likely")


def test_the_time_limit_of_timeout(tmp_path: Path) -> None:
    for line, status in (("timeout 0.2 sleep 30", 124), ("timeout -s KILL 0.2 sleep 30", 137)):
        died = in_shell(line, tmp_path)
        assert died.status == status
    assert explain(124).first == "signal.sigterm_preempted.time_limit"
