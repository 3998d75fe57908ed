"""Parts that are found on disk: a module in the right folder is registered, and nothing else has to be touched."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import ModuleType

from gpudoctor.model.fact import FactSpec


def modules_of(package: ModuleType, having: str) -> tuple[ModuleType, ...]:
    """The modules directly inside a package that define the name `having`, sorted by name."""
    found = []
    for name in sorted(name for folder in package.__path__ for name in _names_in(folder)):
        __import__(f"{package.__name__}.{name}")  # as importlib does, which loads more than it saves here
        module = sys.modules[f"{package.__name__}.{name}"]
        if having in vars(module):
            found.append(module)
    return tuple(found)


def _names_in(folder: str) -> list[str]:
    """The modules of a folder whose names do not begin with an underscore."""
    try:
        files = [entry.name for entry in os.scandir(folder)]
    except OSError:  # no folder: it lies in an archive, which pkgutil can look into, at the cost of loading `inspect`
        import pkgutil

        files = [f"{info.name}.py" for info in pkgutil.iter_modules([folder]) if not info.ispkg]
    return [name[:-3] for name in files if name.endswith(".py") and not name.startswith("_")]


def specs_of(modules: Iterable[ModuleType]) -> dict[str, FactSpec]:
    """The facts that modules declare in `FACTS`, by key. A key declared twice is our bug: ValueError names both."""
    specs: dict[str, FactSpec] = {}
    owners: dict[str, str] = {}
    for module in modules:
        for spec in getattr(module, "FACTS", ()):
            if spec.key in specs:
                raise ValueError(f"fact {spec.key} is declared by {owners[spec.key]} and by {module.__name__}")
            specs[spec.key] = spec
            owners[spec.key] = module.__name__
    return specs
