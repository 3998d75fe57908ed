"""A report is whole or not there: on a file system that fills up while it is written, and killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from command import COMMAND, environment, gpudoctor, until
from crashes import lacking, needed

pytestmark = [pytest.mark.rig, pytest.mark.slow]

# The first argument is a folder for a file system of 256 KiB, of which so many bytes are left (second) before the
# command runs (from the fourth on); what lies there afterwards is listed in a file outside of it (third).
SMALL = """\
set -e
reports=$1 left=$2 list=$3
shift 3
mount -t tmpfs -o size=256k gpudoctor-test "$reports"
head -c $((262144 - left)) /dev/zero >"$reports/filler"
set +e
"$@"
status=$?
ls -A "$reports" >"$list"
[ "$left" -lt 262144 ] || cp "$reports"/*.json "$list.json"
exit $status
"""

# A write to a report's temporary name puts half of it there and never comes back.
STALL = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t write(int place, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", place);
    ssize_t length = readlink(link, name, sizeof name);
    if (length > 5 && !memcmp(name + length - 5, ".part", 5)) {
        real(place, data, size / 2);
        for (;;) pause();
    }
    return real(place, data, size);
}
"""


def crashed_with_room_for(left: int, tmp_path: Path, command: str):
    if os.geteuid() != 0:
        lacking("this rig needs root")
    reports, listed = tmp_path / "reports", tmp_path / "listed"
    reports.mkdir()
    small = (needed("unshare")[0], "-m", "sh", "-c", SMALL, "sh", str(reports), str(left), str(listed))
    ended = gpudoctor("run", "--report-dir", str(reports), "--", "sh", "-c", command, cwd=tmp_path, before=small)
    return ended, listed


@pytest.mark.parametrize("left", [0, 8192])
def test_a_disk_that_is_full_before_the_report_is_whole(left: int, tmp_path: Path) -> None:
    ended, listed = crashed_with_room_for(left, tmp_path, "kill -SEGV $$")
    assert ended.status == 128 + signal.SIGSEGV
    assert listed.read_text().split() == ["filler"]
    assert "the command was killed by SIGSEGV (139)" in ended.errors
    assert "no report could be written: No space left on device" in ended.errors
    assert "Report:" not in ended.errors


def test_a_disk_with_room_for_it_holds_it_whole(tmp_path: Path) -> None:
    ended, listed = crashed_with_room_for(262144, tmp_path, "exit 3")
    assert ended.status == 3
    (name,) = set(listed.read_text().split()) - {"filler"}
    assert name in ended.errors
    document = json.loads(listed.with_suffix(".json").read_text())
    assert document["summary"]["exit_code"] == 3


def test_a_command_that_fills_the_disk_itself_keeps_its_own_end(tmp_path: Path) -> None:
    ended, listed = crashed_with_room_for(65536, tmp_path, f"cat /dev/zero >{tmp_path}/reports/checkpoint")
    assert ended.status == 1
    assert set(listed.read_text().split()) == {"filler", "checkpoint"}
    assert "No space left on device" in ended.errors
    assert "no report could be written: No space left on device" in ended.errors


def test_killed_in_the_middle_of_writing_it_leaves_a_hidden_name_at_most(tmp_path: Path) -> None:
    source, library, reports = tmp_path / "stall.c", tmp_path / "stall.so", tmp_path / "reports"
    source.write_text(STALL)
    subprocess.run([*needed("gcc"), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    temporary = tmp_path / "temporary"
    reports.mkdir(), temporary.mkdir()
    with subprocess.Popen(
        [str(COMMAND), "run", "--report-dir", str(reports), "--", "sh", "-c", "exit 3"],
        stderr=subprocess.DEVNULL,
        env=environment({"LD_PRELOAD": str(library), "TMPDIR": str(temporary)}),
        start_new_session=True,
    ) as process:
        try:
            until(lambda: any(path.stat().st_size for path in reports.iterdir()), 60)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    (left,) = reports.iterdir()
    assert left.match(".gpudoctor-crash-*.part")
    with pytest.raises(json.JSONDecodeError):
        json.loads(left.read_text())
    assert not list(reports.glob("gpudoctor-crash-*"))
    assert all(path.match("gpudoctor-run-*") for path in temporary.iterdir())
