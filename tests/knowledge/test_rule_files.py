"""What is wrong with a rule file is said with its file, its key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.knowledge.lint import lint
from mini_rules import SPECS, bend, copy_to

CAUSE = "causes/driver/too_old.toml"
CHECK = "checks/driver/driver-too-old.toml"
EITHER = "checks/torch/cuda-not-available.toml"
GPU = "checks/gpu/gpu-hot.toml"
SIGNATURE = "signatures/driver/nvml-mismatch.toml"
EXIT = "exits/killed.toml"
CHAIN = "chains/cuda.toml"
TABLE = "tables/toolkits.toml"


def test_the_small_folder_is_right(tmp_path: Path) -> None:
    assert lint(copy_to(tmp_path), SPECS) == []


BENT = [
    # causes
    (
        CAUSE,
        'id = "driver.too_old"',
        'id = "driver.old"',
        ["id: 'driver.old' differs from the file's name", "'driver.too_old'"],
    ),
    (CAUSE, 'title = "Driver too old"\n', "", ["title: is missing; write title ="]),
    (CAUSE, '"Driver too old"', "7", ["title: 7 is a number, but text in quotes is needed"]),
    (CAUSE, '"Driver too old"', '"  "', ["title: is empty"]),
    (CAUSE, '"Driver too old"', '"a \\u001b[31m"', ["title: holds a control character"]),
    (
        CAUSE,
        'who = "image"',
        'who = "imgae"',
        [
            'remedy[1].who: "imgae" is not allowed here; did you mean image?',
            "Allowed: cluster, command_line, host, image",
        ],
    ),
    (CAUSE, 'who = "image"\n', "", ["remedy[1].who: is missing; allowed: command_line, image, host, cluster"]),
    (
        CAUSE,
        '["torch.no_cuda"]',
        '["torch.no_cude"]',
        ["explains: there is no cause 'torch.no_cude'; did you mean torch.no_cuda?"],
    ),
    (CAUSE, '["torch.no_cuda"]', '["driver.too_old"]', ["cannot explain itself"]),
    (CAUSE, '["torch.no_cuda"]', '"torch.no_cuda"', ["explains: must be a list of texts"]),
    (CAUSE, '["torch.no_cuda"]', '["torch.no_cuda", "torch.no_cuda"]', ["explains: 'torch.no_cuda' is listed twice"]),
    (CAUSE, "shows =", "show =", ["show: this key is not known here; did you mean shows?"]),
    (
        CAUSE,
        "accessed = 2026-11-20",
        'accessed = "lately"',
        ['reference[1].accessed: "lately" is not a date; write it as accessed = 2026-11-20'],
    ),
    (
        CAUSE,
        "accessed = 2026-11-20",
        "accessed = 2026-11-20T10:00:00",
        ["reference.accessed: a time of day has no place here"],
    ),
    (CAUSE, "https://docs", "docs", ["reference[1].url:", "starts with https://"]),
    (
        CAUSE,
        "{driver.cuda_version}",
        "{driver.cuda_verison}",
        ["remedy[1].text: there is no fact 'driver.cuda_verison'; did you mean driver.cuda_version"],
    ),
    (CAUSE, "{driver.cuda_version}", "{driver.cuda_version", ["remedy[1].text: holds a single brace"]),
    (
        CAUSE,
        'text = "Update the driver."',
        'text = "Update {driver.version}."',
        ["remedy: at least one [[remedy]] without {placeholders} is needed"],
    ),
    (CAUSE, '[[remedy]]\nwho = "image"', '[remedy]\nwho = "image"', ["this is not valid TOML"]),
    (CAUSE, "cuInit fails.", "Driver {driver.version} fails.", ["shows: is told without a machine at hand"]),
    (CAUSE, "Update the driver.", "Update {it}.", ["remedy[2].text: there is no fact 'it'"]),
    (CAUSE, "Update the driver.", "Look at `{{.State}}` and ${HOME}.", []),
    (CAUSE, "pip install", "docker inspect -f '{{.State}}' {x.split()[0]} {print} ${HOME}; pip install", []),
    (CAUSE, "pip install", "{driver.vversion} pip install", ["remedy[1].command: there is no fact 'driver.vversion'"]),
    # checks
    (
        CHECK,
        'severity = "error"',
        'severity = "eror"',
        ['severity: "eror" is not allowed here; did you mean error? Allowed: error, note, warning'],
    ),
    (
        CHECK,
        'cause = "driver.too_old"',
        'cause = "driver.too_young"',
        ["cause: there is no cause 'driver.too_young'; did you mean"],
    ),
    (CHECK, 'status = "stable"', 'status = "done"', ["status:", "Allowed: deprecated, experimental, stable"]),
    (CHECK, 'since = "0.1"', 'since = "soon"', ["since: 'soon' is not a version of gpudoctor"]),
    (CHECK, 'since = "0.1"', "since = 0.1", ["since: 0.1 is a number, but text in quotes is needed"]),
    (CHECK, 'op = "lt"', 'op = "less"', ['fails.op: "less" is no operator', "Allowed: any_matches, contains"]),
    (CHECK, 'op = "lt"', 'op = "matches"', ["fails.value_of: matches takes a pattern as value, not another fact"]),
    (
        CHECK,
        'op = "lt"',
        'op = "len_ge"',
        ["fails.op: len_ge does not fit driver.version, which is of type version. Allowed: known, unknown_because, eq"],
    ),
    (
        CHECK,
        'value_of = "cuda.min_driver"',
        'value_of = "gpu.count"',
        ["fails.value_of: gpu.count is of type integer, but lt on driver.version needs version"],
    ),
    (
        CHECK,
        'value_of = "cuda.min_driver"',
        'value_of = "cuda.min_drivr"',
        ["fails.value_of: there is no fact 'cuda.min_drivr'; did you mean cuda.min_driver?"],
    ),
    (
        CHECK,
        'value_of = "cuda.min_driver"',
        "value = 12.10",
        ["fails.value: 12.1 must be quoted", "12.10 would become 12.1"],
    ),
    (CHECK, 'value_of = "cuda.min_driver"', 'value = "new"', ['fails.value: "new" is not a version']),
    (CHECK, 'value_of = "cuda.min_driver"', "", ["fails: the operator lt needs either value or value_of"]),
    (CHECK, 'value_of = "cuda.min_driver"', 'value_of = "cuda.min_driver"\nvalue = "1"', ["either value or value_of"]),
    (CHECK, 'op = "known"', 'op = "known"\nvalue = true', ["applies: the operator known takes no value"]),
    (
        CHECK,
        'op = "known"',
        'op = "unknown_because"\nvalue = "crash"',
        ['applies.value: "crash" is no reason; did you mean crashed?'],
    ),
    (CHECK, 'op = "known"', 'op = "unknown_because"', ["applies.value: a reason is needed. Allowed: not_installed"]),
    (
        CHECK,
        "needs.",
        "needs {torch.cuda}.",
        ["finding.message: there is no fact 'torch.cuda'; did you mean torch.cuda_"],
    ),
    (CHECK, "needs.", "needs on {gpu.index}.", ["finding.message: there is no fact 'gpu.index'"]),
    (
        CHECK,
        "[finding]\nmessage",
        "[found]\nmessage",
        ["finding: is missing; write a block [finding]", "found: this key is not known here"],
    ),
    (
        CHECK,
        "[fails]",
        "[fail]",
        ["fails: a condition is needed", "fail: this key is not known here; did you mean fails?"],
    ),
    (CHECK, 'id = "driver-too-old"', 'id = "driver_too_old"', ["differs from the file's name"]),
    (CHECK, 'since = "0.1"', 'since = "0.1"\nfor_each = "gpu"', ["for_each: no condition asks about a per-GPU fact"]),
    (
        CHECK,
        'since = "0.1"',
        'since = "0.1"\nfor_each = "rank"',
        ['for_each: "rank" is not allowed here', "Allowed: gpu"],
    ),
    (EITHER, "value = false", 'value = "no"', ['fails.value: "no" is text, but boolean such as true is needed']),
    (
        EITHER,
        "value = 1",
        "value = true",
        ["applies.any[2].all[2].value: true is a yes/no value, but integer such as 1 is needed"],
    ),
    (EITHER, '{ fact = "gpu.count", op = "known" }', '{ not = { fact = "gpu.count", op = "known" } }', []),
    (
        EITHER,
        '{ fact = "gpu.count", op = "known" }',
        '{ any = [{ fact = "gpu.count", op = "known" }] }',
        ["applies.any[2].all[1].any: is a third level of all/any/not; two are allowed"],
    ),
    (
        EITHER,
        '{ fact = "gpu.count", op = "known" }',
        '{ facts = "gpu.count", op = "known" }',
        ["applies.any[2].all[1].facts: this key is not known here; did you mean fact?"],
    ),
    (EITHER, "any = [", 'fact = "gpu.count"\nany = [', ["applies: any must stand alone, but fact stands beside it"]),
    (EITHER, "any = [", "all = []\nother = [", ["applies: all must stand alone"]),
    (
        GPU,
        'op = "ge"',
        'op = "contains"',
        ["fails.op: contains does not fit gpu.temperature_celsius, which is of type integer"],
    ),
    (
        GPU,
        'for_each = "gpu"\n',
        "",
        ["fails.op: ge does not fit", 'a check with for_each = "gpu" asks about single GPUs', "Allowed: known"],
    ),
    # signatures
    (SIGNATURE, 'role = "root"', 'role = "main"', ["role:", "Allowed: against, noise, root, status, success, symptom"]),
    (SIGNATURE, "weight = 0.9", "weight = 9", ["weight: 9 does not fit; a number from 0 to 1 is needed"]),
    (SIGNATURE, "direct = true", 'direct = "yes"', ["direct:", "true or false is needed"]),
    (SIGNATURE, '"SIGABRT"', '"SIGNOPE"', ["exits: 'SIGNOPE' is no exit status"]),
    (
        SIGNATURE,
        '["training_log"]',
        '["Training log"]',
        ["documents: 'Training log' is not the name of a kind of document"],
    ),
    (SIGNATURE, "{1,40}", "*)*(?P<b>.*", ["pattern[1].regex:"]),
    (
        SIGNATURE,
        r"[\w.]{1,40}",
        r"(\w+)+",
        ["pattern[1].regex:", "can become very slow on a long line", "a repeat stands inside a repeat"],
    ),
    (SIGNATURE, r"[\w.]{1,40}", r"[\w.{1,40}", ["pattern[1].regex:", "is not a valid pattern"]),
    (
        SIGNATURE,
        '["version mismatch"]',
        '["Version mismatch"]',
        ["pattern[1].anchors: a line could match the regex and hold none of the anchors"],
    ),
    (SIGNATURE, '["version mismatch"]', "[]", ["pattern[1].anchors: is an empty list"]),
    (SIGNATURE, '["version mismatch"]', '["v"]', ["pattern[1].anchors: 'v' is too short"]),
    (SIGNATURE, "regex = 'expected'", "regex = 'x*'", []),
    (SIGNATURE, "{library}", "{libary}", ["summary: there is no fact 'libary'; did you mean library?"]),
    (SIGNATURE, 'value = "535"', "value = 535", ['where.value: 535 must be quoted, "535"']),
    (
        SIGNATURE,
        "[[also]]\nregex = 'nvml'\nanchors = [\"NVML\"]\nignore_case = true\n",
        "",
        ["within_lines: means nothing without an [[also]] block"],
    ),
    (SIGNATURE, 'cause = "driver.too_old"\n', "", ["cause: is missing"]),
    (
        SIGNATURE,
        'role = "root"',
        'role = "status"',
        ["pattern: a status needs a named group, (?P<code>...) or (?P<signal>...), or one of `exits`"],
    ),
    # exits
    (EXIT, "[137]", "[-9]", ["codes: must be a list of whole numbers from 0 to"]),
    (EXIT, '"SIGKILL"', '"SIGKIL"', ["signals: 'SIGKIL' is no signal; did you mean SIGKILL"]),
    (EXIT, 'codes = [137]\nsignals = ["SIGKILL"]\n', "", ["codes: an exit needs codes, signals or reasons"]),
    (
        EXIT,
        "codes = [137]",
        'codes = [137]\ncontexts = ["slrum"]',
        ["contexts: 'slrum' is not allowed here; did you mean slurm?"],
    ),
    (EXIT, "codes = [137]", "codes = [137, 1]", ["exits: general-error and killed both claim 1; leave one out"]),
    (
        EXIT,
        "[[candidate]]",
        '[[never]]\ncause = "no.such_cause"\nreason = "It ends otherwise."\n\n[[candidate]]',
        ["never[1].cause: there is no cause 'no.such_cause'"],
    ),
    (EXIT, "codes = [137]", 'codes = [137]\nreasons = ["O O M"]', ["reasons: 'O O M' is no scheduler's word"]),
    (
        EXIT,
        'cause = "gpu.hot"',
        'cause = "gpu.hat"',
        ["candidate[1].cause: there is no cause 'gpu.hat'; did you mean gpu.hot?"],
    ),
    # chains
    (CHAIN, '"gpu-hot"', '"gpu-hit"', ["links: there is no check 'gpu-hit'; did you mean gpu-hot"]),
    (CHAIN, '["gpu-hot", "driver-too-old", "cuda-not-available"]', "[]", ["links: is an empty list"]),
    # tables
    (
        TABLE,
        'cuda = "12.10"',
        'cuda = "12.4.0"',
        ["row[2]: cuda = 12.4.0 stands already in row 1; keys must be unique"],
    ),
    (
        TABLE,
        'cuda = "12.10"',
        "cuda = 12.10",
        ["row[2].cuda: 12.1 must be quoted", "row[2]: a row needs all of its keys: cuda"],
    ),
    (
        TABLE,
        'driver = "550.54.14"',
        'drivr = "550.54.14"',
        ["row[1].drivr: there is no column of this name; did you mean driver?"],
    ),
    (
        TABLE,
        'archs = ["5.0", "9.0"]',
        'archs = "5.0"',
        ["row[1].archs: a list is needed, as the column is of type version_list"],
    ),
    (TABLE, "size = 3", "size = 3.5", ["row[1].size: 3.5 is a number, but integer such as 1 is needed"]),
    (TABLE, 'type = "integer"', 'type = "int"', ['columns.size.type: "int" is not allowed here; did you mean']),
    (TABLE, 'keys = ["cuda"]', 'keys = ["cude"]', ["keys: there is no column 'cude'; did you mean cuda?"]),
    (TABLE, 'confidence = "low"', 'confidence = "none"', ["row[2].confidence:", "Allowed: high, low, medium"]),
    (TABLE, "[columns.size]", "[columns.note]", ["columns.note: 'note' is a word that every row has"]),
]


@pytest.mark.parametrize(("path", "old", "new", "wanted"), BENT)
def test_complaint(tmp_path: Path, path: str, old: str, new: str, wanted: list[str]) -> None:
    root = copy_to(tmp_path)
    bend(root, path, old, new)
    said = lint(root, SPECS)
    for words in wanted:
        assert any(words in line for line in said), said
    assert bool(said) == bool(wanted), said
    assert all(path in line or line.startswith(("exits:", "causes:")) for line in said), said


def test_a_circle_of_causes_is_named(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "causes/gpu/idle.toml", 'meaning = "Nothing', 'explains = ["driver.absent"]\nmeaning = "Nothing')
    (line,) = lint(root, SPECS)
    assert "these go in a circle: driver.absent -> torch.no_cuda -> gpu.idle -> driver.absent" in line


def test_an_id_that_was_retired(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "retired.toml", "driver-ancient", "driver-too-old")
    (line,) = lint(root, SPECS)
    assert "'driver-too-old' was retired and must not be used again (merged into driver-too-old, since 0.1)" in line


def test_an_id_that_is_taken(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    (root / "checks/gpu/driver-too-old.toml").write_bytes((root / CHECK).read_bytes())
    (line,) = lint(root, SPECS)
    assert "checks/gpu/driver-too-old.toml: id: 'driver-too-old' is already taken by" in line


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("checks/lonely.toml", "the file is in the wrong place; it belongs at checks/<folder>/<name>.toml"),
        ("exits/deep/lonely.toml", "the file is in the wrong place; it belongs at exits/<name>.toml"),
        ("lonely.toml", "the file is in the wrong place; rules lie in causes/<folder>/"),
        ("check/gpu/lonely.toml", "check: nothing reads this folder; did you mean checks"),
    ],
)
def test_a_file_in_the_wrong_place(tmp_path: Path, path: str, wanted: str) -> None:
    root = copy_to(tmp_path)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text('id = "lonely"\n', encoding="utf-8")
    assert any(wanted in line for line in lint(root, SPECS))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"\xff\xfe\x00", "the file is not UTF-8 text"),
        (b"id = \n", "this is not valid TOML"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = nan\n", "a: nan is not a number that can be compared"),
        (b"a = 10:00:00\n", "a: a time of day has no place here"),
        (b"x" * 4_000_001, "larger than 4000000 bytes"),
        (b"", "id: is missing"),
        (b"id = { a = 1 }\n[[remedy]]\n[[finding]]\n[applies]\nall = 3\n", "applies.all: needs a list of conditions"),
        (b'fails = 3\napplies = { not = 3 }\nfinding = "x"\nreference = {}\n', "applies.not: needs one condition"),
    ],
)
def test_garbage_is_a_complaint_and_no_traceback(tmp_path: Path, content: bytes, wanted: str) -> None:
    root = copy_to(tmp_path)
    (root / "checks/gpu/garbage.toml").write_bytes(content)
    said = [line for line in lint(root, SPECS) if "garbage.toml" in line]
    assert any(wanted in line for line in said), said
