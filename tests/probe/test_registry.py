"""The whole examination: every declared fact comes, of the declared type, whatever the child did or failed to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fake_torch
from gpudoctor.host.base import FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import FactSpec, FactType, Unknown, Value
from gpudoctor.model.version import Version
from gpudoctor.probe import registry, zygote
from memory_host import MemoryHost

TYPES = {
    FactType.TEXT: str,
    FactType.VERSION: Version,
    FactType.INTEGER: int,
    FactType.NUMBER: float,
    FactType.BOOLEAN: bool,
}
PROMISED = """python.version python.executable python.prefix python.environment numpy.version torchvision.version
torchaudio.version triton.version packages.names_versions torch.installed torch.path torch.metadata_version
torch.version torch.build torch.cuda_version torch.hip_version torch.import_outcome torch.import_error
torch.import_signal
torch.cuda_available torch.cuda_warning torch.device_count torch.arch_list cudnn.version nccl.version""".split()


def fits(spec: FactSpec, value: Value | Unknown) -> bool:
    if isinstance(value, Unknown):
        return True
    wanted = TYPES[spec.type.element]
    if spec.type.is_list:
        return isinstance(value, tuple) and all(isinstance(item, (wanted, Unknown)) for item in value)
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def assert_whole(facts: tuple) -> None:
    specs = registry.fact_specs()
    assert sorted(fact.key for fact in facts) == sorted(specs)
    for fact in facts:
        assert fits(specs[fact.key], fact.value), fact


def test_the_promised_facts_are_declared() -> None:
    specs = registry.fact_specs()
    assert set(PROMISED) <= set(specs)
    assert all(spec.meaning for spec in specs.values())


def test_a_healthy_examination_is_whole(look, tmp_path: Path) -> None:
    _, found = look(fake_torch.write(tmp_path / "site", is_available="return True", count=1))
    assert_whole(found.facts)
    assert (found.target.kind, found.target.reason) == ("live", "given with --python")


@pytest.mark.parametrize(
    "end",
    [
        ChildEnd(End.NOT_STARTED, errno="EACCES", error="Permission denied"),
        ChildEnd(End.TIMED_OUT, seconds=58.0),
        ChildEnd(End.SIGNALLED, signal="SIGKILL"),
        ChildEnd(End.EXITED, status=1, stderr="SyntaxError"),
        ChildEnd(End.EXITED, lines=({"step": "interpreter", "outcome": "too_old", "version": "3.6.15"},)),
        ChildEnd(End.EXITED, lines=({"step": "interpreter", "outcome": "failed", "error": "OSError: x"},)),
    ],
)
def test_an_examination_that_failed_is_whole(end: ChildEnd) -> None:
    host = MemoryHost(children={"target": end}, nodes={"/usr/bin/python3": FileInfo("file", mode=0o755)})
    found = registry.examine(host)
    assert_whole(found.facts)
    assert found.runs[0].name == "target"


def test_too_old_an_interpreter_says_so() -> None:
    lines = ({"step": "interpreter", "outcome": "too_old", "version": "3.6.15", "executable": "/usr/bin/python3"},)
    found = registry.examine(MemoryHost(children={"target": ChildEnd(End.EXITED, lines=lines)}))
    facts = {fact.key: fact.value for fact in found.facts}
    assert str(facts["python.version"]) == "3.6.15"
    assert facts["python.examinable"] is False
    assert "3.6.15 is too old" in facts["torch.version"].detail  # type: ignore[union-attr]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "outcome version packages places details broken unreadable kind locations version_file shadow importable error "
    "available count devices errors cudnn nccl files warnings status signal seconds output markers user_site".split()
)
STEPS = st.sampled_from("interpreter packages torch_files torch_import torch_build libraries build cuda end".split())
LINES = st.lists(st.tuples(STEPS, st.dictionaries(KEYS, JUNK, max_size=5)), max_size=8)


@given(LINES)
@settings(max_examples=150, deadline=None)
def test_lines_of_any_kind_never_break_it(found: list) -> None:
    lines = tuple({**more, "step": step} for step, more in found)
    end = ChildEnd(End.EXITED, lines=lines)
    plan = zygote.plan_for(10.0, True, (zygote.RUNTIME,))
    assert_whole(tuple(registry.facts_of(end, plan)))
    list(registry.runs_of(end, plan))


def test_a_recording_knows_its_interpreter_by_what_that_said() -> None:
    lines = ({"step": "interpreter", "outcome": "completed", "version": "3.12.1", "executable": "/opt/py/bin/python"},)
    host = MemoryHost(children={"target": ChildEnd(End.EXITED, lines=lines)}, identity={"executable": "", "prefix": ""})
    target = registry.examine(host, registry.ProbeSettings(kind="recorded")).target
    assert (target.kind, target.interpreter) == ("recorded", "/opt/py/bin/python")


def test_an_interpreter_that_cannot_start_is_quoted() -> None:
    end = ChildEnd(End.EXITED, status=1, stderr="Fatal Python error: init_fs_encoding: failed\n")
    facts = {fact.key: fact.value for fact in registry.examine(MemoryHost(children={"target": end})).facts}
    assert "init_fs_encoding" in facts["python.version"].detail  # type: ignore[union-attr]
