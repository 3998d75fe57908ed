"""Which torch an `import torch` would get, found without importing it, and what its version file says.

A script called torch.py or a source checkout in the working directory hides the installed package. Such a file is
the user's own program, so it is reported and stepped over, never run.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION_FILE_LIMIT = 65_536


def look(scanned: dict[str, Any]) -> dict[str, Any]:
    """Where torch is, its kind (`package`, `namespace`, `module`, `absent`), and what stands before it."""
    distributions = [detail for detail in scanned.get("details", []) if detail.get("name") == "torch"]
    found = describe(find())
    shadow = ""
    if found["kind"] == "module" or (found["kind"] == "package" and in_working_directory(found["origin"])):
        behind = describe_without(found)
        if behind["kind"] == "package" and behind["origin"] != found["origin"]:
            shadow, found = found["origin"], behind
        elif found["kind"] == "module":
            shadow, found = found["origin"], describe(None)
    return {
        "kind": found["kind"],
        "origin": found["origin"],
        "locations": found["locations"],
        "error": found.get("error", ""),
        "shadow": shadow,
        "importable": found["kind"] == "package" or (bool(distributions) and found["kind"] == "namespace"),
        "version_file": read_version_file(found["locations"]),
    }


def find() -> Any:
    """The spec of torch, asked of every finder in turn as `import` does; an exception where a finder fails."""
    for finder in sys.meta_path:
        ask = getattr(finder, "find_spec", None)
        try:
            spec = ask("torch", None) if ask is not None else None
        except Exception as error:
            return error
        if spec is not None:
            return spec
    return None


def describe(spec: Any) -> dict[str, Any]:
    """A spec as plain data."""
    if spec is None:
        return {"kind": "absent", "origin": "", "locations": []}
    if isinstance(spec, Exception):
        text = "%s: %s" % (type(spec).__name__, spec)
        return {"kind": "absent", "origin": "", "locations": [], "error": text}
    origin = spec.origin if isinstance(spec.origin, str) and spec.origin != "namespace" else ""
    try:
        locations = [str(entry) for entry in spec.submodule_search_locations or ()]
    except Exception:
        locations = []
    if spec.submodule_search_locations is None:
        return {"kind": "module", "origin": origin, "locations": []}
    return {"kind": "package" if origin else "namespace", "origin": origin, "locations": locations}


def in_working_directory(origin: str) -> bool:
    """Whether a file was found through the working directory, which stands first on the path."""
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:
        return False
    folder = os.path.dirname(os.path.realpath(origin)) if origin else ""
    return bool(sys.path) and os.path.realpath(sys.path[0]) == here and folder in (here, os.path.join(here, "torch"))


def describe_without(found: dict[str, Any]) -> dict[str, Any]:
    """What would be found without the path entry that holds this one; where that is a package, the path stays so."""
    folder = os.path.dirname(found["origin"])
    entry = os.path.realpath(os.path.dirname(folder) if found["kind"] == "package" else folder)
    before = list(sys.path)
    sys.path[:] = [place for place in before if os.path.realpath(place or os.curdir) != entry]
    behind = describe(find())
    if behind["kind"] != "package":
        sys.path[:] = before
    return behind


def read_version_file(locations: list[str]) -> dict[str, Any]:
    """The constants of torch/version.py, read as text: it names the build even where the import fails."""
    for location in locations:
        path = os.path.join(location, "version.py")
        try:
            with open(path, "rb") as file:
                source = file.read(VERSION_FILE_LIMIT)
        except OSError:
            continue
        try:
            return constants(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return {"error": "%s: %s" % (type(error).__name__, error)}
    return {}


def constants(source: bytes) -> dict[str, Any]:
    """Top-level names with a constant value; names that a later line only points at are followed one step."""
    import ast

    found: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if isinstance(value, ast.Constant) and (value.value is None or isinstance(value.value, (str, bool, int))):
            constant = value.value
        elif isinstance(value, ast.Name) and value.id in found:
            constant = found[value.id]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = constant
    return found
