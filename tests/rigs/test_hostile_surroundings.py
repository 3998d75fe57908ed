"""Where a sick container lacks what a program takes for granted: `gpudoctor check` still gives a whole report.

Each test takes one thing away, or puts something nasty in its place, for a real run of the command.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

import command
import fake_torch
import gpudoctor as gpudoctor_package
from command import Ended, check, gpudoctor, until

pytestmark = pytest.mark.rig

Whole = Callable[..., Ended]
Requires = Callable[..., None]
# Some user that nobody has heard of. It may read everything, because the tests' own files belong to somebody else.
STRANGER = (
    "setpriv --reuid=54321 --regid=54321 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
).split()
ESCAPE = b"\x1b"


@pytest.fixture
def whole(bare_python: str) -> Whole:
    """Run `check --json` on an interpreter without torch; what comes must be a whole report."""

    def run(*arguments: str, **how: object) -> Ended:
        return check("--python", bare_python, *arguments, **how).is_whole()

    return run


@pytest.fixture
def namespace(rig_requires: Requires) -> Callable[..., list[str]]:
    """What to put before a command so that it runs after these shell lines, in a mount namespace of its own."""
    rig_requires("unshare", "mount", "sh", root=True)

    def make(*lines: str, options: str = "--mount") -> list[str]:
        script = "\n".join(["set -e", "mount --make-rprivate /", *lines, 'exec "$@"'])
        return ["unshare", *options.split(), "sh", "-c", script, "sh"]

    return make


@pytest.mark.parametrize("home", [None, "", "/nowhere/at/all", "/proc/1", "relative"])
def test_home_is_unset_missing_or_unwritable(whole: Whole, home: str | None) -> None:
    whole(env={"HOME": home})


def test_nothing_in_the_environment(bare_python: str) -> None:
    everything = dict.fromkeys(os.environ)
    check("--python", bare_python, env=everything).is_whole()


def test_a_read_only_root(whole: Whole, namespace: Callable[..., list[str]], tmp_path: Path) -> None:
    before = namespace("mount -o remount,bind,ro /", f"! touch {tmp_path}/x 2>/dev/null")
    assert whole(before=before).value("disk.root_is_read_only") is True
    refused = gpudoctor("check", "--output", str(tmp_path / "report"), before=before)
    assert refused.status == 2
    assert "Read-only file system" in refused.errors


def test_a_user_without_a_passwd_entry(whole: Whole, namespace: Callable[..., list[str]]) -> None:
    whole(before=namespace("mount --bind /dev/null /etc/passwd"))


def test_a_stranger_without_any_name(whole: Whole, rig_requires: Requires) -> None:
    rig_requires("setpriv", root=True)
    ended = whole(before=STRANGER)
    assert ended.value("process.user_id") == 54321


def test_a_stranger_may_not_read_the_kernel_log(whole: Whole, rig_requires: Requires) -> None:
    rig_requires("setpriv", root=True)
    ended = whole(before=[*STRANGER, "setpriv", "--no-new-privs"])
    assert any(fact.get("unknown") == "permission_denied" for key, fact in ended.facts.items() if "kernel_log" in key)


@pytest.mark.parametrize("folder", ["/proc/driver", "/proc/sys", "/proc", "/sys", "/sys/fs/cgroup", "/dev/shm", "/var"])
def test_a_part_of_the_kernels_files_is_missing(whole: Whole, namespace: Callable[..., list[str]], folder: str) -> None:
    if not Path(folder).is_dir():
        pytest.skip(f"there is no {folder} here to be hidden")
    whole(before=namespace(f"mount -t tmpfs -o size=4k nothing {folder}"))


def test_no_device_nodes_but_the_plainest(whole: Whole, namespace: Callable[..., list[str]], tmp_path: Path) -> None:
    room = tmp_path / "dev"
    room.mkdir()
    whole(before=namespace(f"mount -t tmpfs dev {room}", f"mknod {room}/null c 1 3", f"mount --bind {room} /dev"))


def test_processes_of_others_are_hidden(whole: Whole, namespace: Callable[..., list[str]], bare_python: str) -> None:
    options = "--mount --pid --fork --mount-proc"
    # As process 1 of its namespace, and as some user in one.
    whole(before=namespace("mount -o remount,hidepid=2 /proc", options=options))
    whole(before=[*namespace("mount -o remount,hidepid=2 /proc", options=options), *STRANGER])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_closed_streams(bare_python: str, tmp_path: Path, closed: str, as_json: bool) -> None:
    kept = tmp_path / "kept"
    arguments = f"check --python {bare_python} {'--json' if as_json else ''}"
    line = f"{command.COMMAND} {arguments} {closed} {'' if '>&- ' in closed + ' ' else f'> {kept}'}"
    line = line if not closed.startswith(("2", "<&- 2")) else f"{command.COMMAND} {arguments} > {kept} {closed}"
    ended = gpudoctor(before=["bash", "-c", line])
    assert ended.status in (0, 1), ended.errors
    assert not ended.errors
    assert not ended.left


@pytest.mark.parametrize("arguments", ["check --json", "check", "check --markdown", "facts", "rules list", "--help"])
def test_a_reader_that_has_seen_enough(bare_python: str, arguments: str) -> None:
    python = f"--python {bare_python}" if arguments.startswith("check") else ""
    line = f"{command.COMMAND} {arguments} {python} | head -c 1; exit ${{PIPESTATUS[0]}}"
    ended = gpudoctor(before=["bash", "-c", line])
    assert (ended.status, ended.errors) in [(0, ""), (1, "")]
    assert not ended.left


def test_standard_output_on_a_full_disk(bare_python: str) -> None:
    with open("/dev/full", "wb") as full:
        ended = gpudoctor("check", "--python", bare_python, stdout=full)
    assert ended.status == 2
    assert "standard output cannot be written: No space left on device" in ended.errors


def test_standard_input_is_a_pipe_that_nobody_writes(whole: Whole, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(os.open(fifo, os.O_RDWR), "rb") as stdin:
        whole(stdin=stdin)


def on_terminal(*arguments: str, columns: int, env: dict[str, str | None]) -> tuple[int, bytes]:
    """The command on a terminal of its own: exit code, and what it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    argv = [str(command.COMMAND), *arguments]
    written = bytearray()
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=command.environment(env), start_new_session=True
    ) as process:
        os.close(theirs)
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            written += piece
        status = process.wait(30)
    os.close(ours)
    return status, bytes(written)


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": None}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_only_on_a_terminal_that_has_it(bare_python: str, env: dict[str, str | None], coloured: bool) -> None:
    status, written = on_terminal("check", "--python", bare_python, columns=80, env=env)
    assert status in (0, 1)
    report = written.split(b"\x1b[K")[-1]  # after the progress line was wiped
    assert (ESCAPE in report) is coloured
    if env.get("TERM") in ("dumb", None):
        assert ESCAPE not in written


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal(bare_python: str, columns: int) -> None:
    status, written = on_terminal("check", "--python", bare_python, columns=columns, env={"TERM": "dumb"})
    assert status in (0, 1)
    lines = [line.rstrip("\r") for line in written.decode("utf-8").split("\n")]
    # Only what cannot be broken may stick out: a command to be copied, a path, an address.
    too_long = [line for line in lines if len(line) > columns and len(max(line.split(), key=len)) < columns - 12]
    assert [line for line in too_long if not re.match(r"\s+(?:\$ )?\S*(?:python|pip|docker|ls|nvidia)", line)] == []


LOCALES = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"LC_ALL": "xx_YY.nonsense"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1:strict"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=lambda env: "-".join(env.values()))
def test_locales_without_the_characters(bare_python: str, locale: dict[str, str], tmp_path: Path) -> None:
    folder = fake_torch.write(tmp_path / "größe", "raise ImportError('größe 尺寸 \\udcff')")
    env: dict[str, str | None] = {"LANG": None, "LANGUAGE": None, **locale, "PYTHONPATH": str(folder)}
    check("--python", bare_python, env=env).is_whole()
    for arguments in (["check"], ["check", "--markdown"], ["facts"]):
        ended = gpudoctor(*arguments, "--python", bare_python, env=env)
        assert ended.status in (0, 1)
        assert "Traceback" not in ended.errors
        ended.stdout.decode("latin-1" if "latin" in str(locale) else "utf-8")


def test_bytes_that_are_no_utf8_in_environment_paths_and_metadata(bare_python: str, tmp_path: Path) -> None:
    packages = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe packages"))
    fake_torch.write(packages, "raise ImportError('x' + __file__)")
    info = packages / os.fsdecode(b"w\xffrd-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_bytes(b"Name: w\xffrd\xfe\nVersion: 1.\xff\n\n\xff\xfe\0")
    (info / "RECORD").write_bytes(bytes(range(256)))
    env: dict[str, str | None] = {
        "PYTHONPATH": str(packages),
        "CUDA_HOME": os.fsdecode(b"/usr/\xff\xfe/cuda"),
        "LD_LIBRARY_PATH": os.fsdecode(b"/\xff:/\xfe"),
        "NCCL_DEBUG": os.fsdecode(b"\xffINFO"),
        "NVIDIA_VISIBLE_DEVICES": os.fsdecode(b"\xc3\x28"),
        os.fsdecode(b"CUDA_\xff"): "1",
    }
    ended = check("--python", bare_python, env=env, cwd=packages).is_whole()
    assert "torch.version" in ended.facts
    for arguments in (["check", "-v"], ["check", "--markdown"], ["facts"]):
        ended = gpudoctor(*arguments, "--python", bare_python, env=env)
        assert ended.status in (0, 1)
        assert "Traceback" not in ended.errors


def test_an_interpreter_in_a_folder_that_is_no_utf8(bare_python: str, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    shutil.copytree(Path(bare_python).parents[1], folder, symlinks=True)
    check("--python", str(folder / "bin" / "python")).is_whole()


def test_no_network(whole: Whole, rig_requires: Requires) -> None:
    rig_requires("unshare", root=True)
    whole(before=["unshare", "--net"])


def limited(**limits: int) -> Callable[[], None]:
    def apply() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    return apply


def causes_of(ended: Ended) -> list[str]:
    return [
        item["cause"] for item in ended.document["findings"] if item["kind"] == "fail" and item["severity"] == "error"
    ]


def test_so_little_address_space_that_a_whole_report_just_fits_or_the_reason_is_told(bare_python: str) -> None:
    for mebibytes in (40, 64):
        ended = check("--python", bare_python, preexec_fn=limited(AS=mebibytes << 20))
        assert ended.status == 4
        assert f"`ulimit -v`) is {mebibytes} MiB" in ended.document["error"]["message"]
    for mebibytes in (128, 256):
        check("--python", bare_python, preexec_fn=limited(AS=mebibytes << 20)).is_whole()


def test_an_import_of_torch_that_gets_no_memory(bare_python: str, tmp_path: Path) -> None:
    folder = fake_torch.write(tmp_path, "big = bytearray(400_000_000)")
    ended = check("--python", bare_python, env={"PYTHONPATH": str(folder)}, preexec_fn=limited(AS=300 << 20)).is_whole()
    assert ended.value("torch.import_error").startswith("MemoryError")
    assert ended.status == 1
    assert causes_of(ended)[0] == "limits.address_space"


@pytest.mark.torch
def test_address_space_too_small_for_a_real_torch(torch_python: str) -> None:
    ended = check("--python", torch_python, "--probes", "none", preexec_fn=limited(AS=300 << 20)).is_whole()
    assert "failed to map segment from shared object" in ended.value("torch.import_failure_line")
    assert causes_of(ended) == ["limits.address_space"]


def test_a_container_of_64_mebibytes_that_ends_the_import_of_torch(
    bare_python: str, rig_requires: Requires, tmp_path: Path
) -> None:
    rig_requires("sh", root=True)
    group = Path("/sys/fs/cgroup/memory") / f"gpudoctor-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"no control group of memory (version 1) can be made here: {error}")
    try:
        folder = fake_torch.write(tmp_path, "big = b'x' * 200_000_000")
        before = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        ended = check("--python", bare_python, env={"PYTHONPATH": str(folder)}, before=before).is_whole()
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
    assert ended.status == 1
    assert ended.value("torch.import_signal") == "SIGKILL"


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 8])
def test_the_limit_on_processes_is_reached(whole: Whole, rig_requires: Requires, processes: int) -> None:
    rig_requires("setpriv", "prlimit", root=True)
    ended = whole(before=[*STRANGER, "prlimit", f"--nproc={processes}:{processes}"])
    if processes == 1:
        assert "Resource temporarily unavailable" in ended.text


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_control_group_lets_no_more_processes_start(whole: Whole, rig_requires: Requires, processes: int) -> None:
    rig_requires("sh", root=True)
    group = Path("/sys/fs/cgroup/pids") / f"gpudoctor-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(processes))
    except OSError as error:
        pytest.skip(f"no control group of processes (version 1) can be made here: {error}")
    try:
        ended = whole(before=["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"])
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
    assert ended.value("cgroup.pids_limit") == processes
    if processes == 1:
        assert "Resource temporarily unavailable" in ended.text


@pytest.mark.parametrize("files", [8, 12, 16, 24])
def test_the_limit_on_open_files_is_reached(bare_python: str, files: int) -> None:
    ended = check("--python", bare_python, preexec_fn=limited(NOFILE=files))
    assert ended.status in (0, 1, 3, 4)
    assert "our bug" not in ended.errors
    if ended.status in (0, 1):
        ended.is_whole()


def test_a_full_disk_for_temporary_files(whole: Whole, namespace: Callable[..., list[str]], tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    fill = [f"mount -t tmpfs -o size=8k full {full}", f"head -c 8192 /dev/zero > {full}/all"]
    everywhere = {name: str(full) for name in ("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME")}
    whole(before=namespace(*fill), env=everywhere)
    refused = gpudoctor("check", "--output", str(full / "report"), before=namespace(*fill))
    assert refused.status == 2
    assert "No space left on device" in refused.errors


def test_tmp_itself_is_full(namespace: Callable[..., list[str]]) -> None:
    # What the command itself needs of /tmp comes back after it was hidden: the tests may be installed below it.
    places = (sys.prefix, sys.base_prefix, command.__file__, str(gpudoctor_package.__file__))
    needed = sorted({"/".join(place.split("/")[:3]) for place in places if place.startswith("/tmp/")})
    kept = [Path(f"/run/gpudoctor-kept-{uuid.uuid4().hex}") for _place in needed]
    pairs = list(zip(needed, kept))
    before = [line for place, aside in pairs for line in (f"mkdir {aside}", f"mount --bind {place} {aside}")]
    after = [line for place, aside in pairs for line in (f"mkdir {place}", f"mount --bind {aside} {place}")]
    fill = ["mount -t tmpfs -o size=64k full /tmp", *after, "cat /dev/zero > /tmp/all 2>/dev/null || true"]
    plain = Path(sys.base_prefix) / "bin" / "python3"
    try:
        ended = check("--python", str(plain), before=namespace(*before, *fill), cwd="/").is_whole()
    finally:
        for aside in kept:
            aside.rmdir()  # empty out here, where the namespace's mounts are not seen
    assert ended.value("disk.tmp_free_bytes") == 0


JUMPING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long jump(void) { static long n; n++; return (n % 2 ? 1 : -1) * n * 86400 * 3650; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += jump();
    return result;
}
time_t time(time_t *at) { time_t now = 1000000000 + jump(); if (at) *at = now; return now; }
int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    at->tv_sec = 1000000000 + jump();
    at->tv_usec = 0;
    return 0;
}
"""


def test_a_clock_that_jumps_by_decades(whole: Whole, rig_requires: Requires, tmp_path: Path) -> None:
    rig_requires("cc")
    (tmp_path / "jump.c").write_text(JUMPING)
    library = tmp_path / "libjump.so"
    build = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "jump.c"), "-ldl"]
    subprocess.run(build, check=True, timeout=60)
    moving = [sys.executable, "-c", "import time; print(abs(time.time() - time.time()) > 1e8)"]
    env = {**os.environ, "LD_PRELOAD": str(library)}
    assert subprocess.run(moving, env=env, capture_output=True, check=True, timeout=30).stdout == b"True\n"
    ended = whole(env={"LD_PRELOAD": str(library)})
    assert all(0 <= run["seconds"] < 60 for run in ended.document["runs"])


def test_a_path_of_500_entries(whole: Whole, tmp_path: Path) -> None:
    folders = [tmp_path / f"{'x' * 60}-{number}" for number in range(500)]
    for folder in folders[::3]:
        folder.mkdir(mode=0o000 if len(folder.name) % 2 else 0o755)
    text = ":".join(["", *map(str, folders), os.environ.get("PATH", "")])
    whole(env={"PATH": text, "LD_LIBRARY_PATH": text})
    check(env={"PATH": text}).is_whole()


def test_2000_packages_and_one_of_garbage(bare_python: str, tmp_path: Path) -> None:
    for number in range(2000):
        fake_torch.write_metadata(tmp_path, f"package-{number}", f"{number}.0")
    for name, data in (
        ("garbage", os.urandom(50_000)),
        ("empty", b""),
        ("nul", b"\0" * 5000),
        ("endless", b"Name: torch\nVersion: " + b"9" * 3_000_000),
        ("nvidia_cudnn_cu12", b"Metadata-Version: 2.1\nName: nvidia-cudnn-cu12\nVersion: not a version\n"),
    ):
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_bytes(data)
    (tmp_path / "folder-1.dist-info" / "METADATA").mkdir(parents=True)
    (tmp_path / "file-1.dist-info").write_bytes(b"\xff")
    (tmp_path / "loop-1.dist-info").symlink_to("loop-1.dist-info")
    ended = check("--python", bare_python, env={"PYTHONPATH": str(tmp_path)}).is_whole()
    assert ended.value("packages.count") >= 2000


def test_the_current_directory_is_gone(whole: Whole, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    whole(before=["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh"], cwd=gone)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("json.py", "raise RuntimeError('poison')"),
        ("json.py", "x = 1"),
        ("click.py", "x = 1"),
        ("click/__init__.py", "x = 1"),
        ("inspect.py", "import nothing_of_this_name"),
        ("subprocess.py", "x = 1"),
        ("threading.py", "x = 1"),
    ],
)
def test_a_module_on_pythonpath_in_the_place_of_a_real_one_is_named(
    bare_python: str, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    ended = check("--python", bare_python, env={"PYTHONPATH": str(tmp_path)})
    assert ended.status == 3
    assert str(path) in ended.errors
    assert "Traceback" not in ended.errors
    assert "PYTHONPATH" in ended.errors


def test_poison_that_only_the_examined_interpreter_meets(bare_python: str, tmp_path: Path) -> None:
    folder = next(Path(bare_python).parents[1].glob("lib/python3*/site-packages"))
    clone = tmp_path / "clone"
    shutil.copytree(Path(bare_python).parents[1], clone, symlinks=True)
    site = clone / folder.relative_to(Path(bare_python).parents[1])
    (site / "poison.pth").write_text("import sys; sys.modules['json'] = None\n")
    ended = check("--python", str(clone / "bin" / "python"))
    assert ended.status == 4
    assert "did not act as a Python 3 interpreter" in ended.errors


SLOW = "import time; time.sleep(600)"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_a_signal_ends_the_run_and_everything_that_it_started(
    bare_python: str, tmp_path: Path, name: str, again: bool
) -> None:
    begun = tmp_path / "begun"
    folder = fake_torch.write(tmp_path, f"open({str(begun)!r}, 'w').close(); import os; os.fork(); {SLOW}")
    mark = uuid.uuid4().hex
    # A suite that was started with nohup hands an ignored SIGHUP down, and what is ignored stays ignored.
    heeding = ["env", "--default-signal"]
    argv = [*heeding, str(command.COMMAND), "check", "--json", "--python", bare_python]
    env = {**command.environment({"PYTHONPATH": str(folder)}), command.MARK: mark}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(begun.exists)
        for _ in range(2 if again else 1):
            process.send_signal(getattr(signal, name))
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b'"interrupted"' in out
    assert errors.decode().strip() == "gpudoctor: Interrupted; nothing was left running."
    assert command.left_running(mark) == []


def test_a_signal_that_is_ignored_stays_ignored(bare_python: str) -> None:
    line = f"trap '' HUP; {command.COMMAND} check --json --python {bare_python} & sleep 0.3; kill -HUP $!; wait $!"
    gpudoctor(before=["bash", "-c", line]).is_whole()


# A file system whose server never says a word: whoever asks for anything on it waits until he is killed.
MUTE = """
import ctypes, os, sys
fd = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fd, True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"mute", os.fsencode(sys.argv[1]), b"fuse", 0, options):
    sys.exit(77)
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_wedged_mount_costs_what_lies_on_it_and_nothing_else(
    bare_python: str, rig_requires: Requires, tmp_path: Path
) -> None:
    rig_requires("unshare", root=True)
    wedged = tmp_path / "wedged"
    wedged.mkdir()
    before = ["unshare", "--mount", sys.executable, "-c", MUTE, str(wedged)]
    env = {"HF_HOME": str(wedged / "hf"), "CUDA_HOME": str(wedged / "cuda")}
    ended = check("--python", bare_python, before=before, env=env, seconds=12)
    if ended.status == 77:
        pytest.skip("no FUSE file system can be mounted here")
    ended.is_whole()
    late = {run["name"] for run in ended.document["runs"] if run["outcome"] == "timed_out"}
    assert "collect.disk" in late
    assert ended.facts["disk.root_total_bytes"]["unknown"] == "timed_out"
    assert "value" in ended.facts["kernel.release"]
