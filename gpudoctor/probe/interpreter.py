"""Facts about the target interpreter itself: what it is and which environment it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.probe.answers import absent, known_or, said, text, texts, version, why_silent

FACTS = (
    FactSpec("python.version", FactType.VERSION, "version of the examined interpreter"),
    FactSpec("python.implementation", FactType.TEXT, "cpython, pypy, ..."),
    FactSpec("python.examinable", FactType.BOOLEAN, "whether the interpreter is new enough to be looked into (3.8)"),
    FactSpec("python.executable", FactType.TEXT, "path of the interpreter as it knows itself", private=True),
    FactSpec("python.prefix", FactType.TEXT, "the environment's folder", private=True),
    FactSpec("python.base_prefix", FactType.TEXT, "the installation that the environment is based on", private=True),
    FactSpec("python.path", FactType.TEXT_LIST, "the module search path in its order", private=True),
    FactSpec("python.environment", FactType.TEXT, "venv, uv, conda or system"),
    FactSpec("python.environment_tool", FactType.TEXT, "the tool that made the environment, as its marks tell"),
    FactSpec("python.system_site_packages", FactType.BOOLEAN, "whether a venv also sees the base's packages"),
    FactSpec("python.externally_managed", FactType.BOOLEAN, "whether the distribution forbids pip here (PEP 668)"),
    FactSpec(
        "python.bits", FactType.INTEGER, "64, or 32 for an interpreter that no CUDA build exists for", unit="bits"
    ),
    FactSpec("python.free_threaded", FactType.BOOLEAN, "whether this is a build without the global lock"),
    FactSpec("python.user_site_in_use", FactType.BOOLEAN, "whether packages under the home folder are on the path"),
    FactSpec("python.user_site", FactType.TEXT, "the folder for packages under the home folder", private=True),
    FactSpec("python.machine", FactType.TEXT, "the processor architecture that the interpreter sees"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; those of an interpreter that is too old are not applicable but for its version."""
    line = said(end, "interpreter")
    why = why_silent(end)
    if "version" not in line:
        if line.get("error"):
            why = Unknown(Reason.CRASHED, text(line["error"]))
        yield from absent(tuple(spec.key for spec in FACTS), why)
        return
    too_old = line.get("outcome") == "too_old"
    yield Fact("python.version", version(line["version"]))
    yield Fact("python.examinable", not too_old)
    yield Fact("python.executable", known_or(text(line.get("executable")), Unknown(Reason.NO_DATA, "it does not know")))
    if too_old:
        rest = tuple(spec.key for spec in FACTS[3:] if spec.key != "python.executable")
        yield from absent(("python.implementation", *rest), why)
        return
    for key in ("implementation", "prefix", "base_prefix", "environment"):
        yield Fact(f"python.{key}", text(line.get(key)))
    none = Unknown(Reason.NOT_APPLICABLE, "not an environment made by a tool")
    yield Fact("python.environment_tool", known_or(text(line.get("environment_tool")), none))
    yield Fact("python.path", texts(line.get("path")))
    for key in ("system_site_packages", "externally_managed", "free_threaded"):
        yield Fact(f"python.{key}", bool(line.get(key)))
    yield Fact("python.bits", int(line.get("bits", 64)))
    site = line.get("user_site") or {}
    yield Fact("python.user_site_in_use", bool(site.get("on_path")))
    yield Fact("python.user_site", known_or(text(site.get("path")), Unknown(Reason.NOT_APPLICABLE, "it has none")))
    yield Fact("python.machine", text((line.get("markers") or {}).get("platform_machine")))
