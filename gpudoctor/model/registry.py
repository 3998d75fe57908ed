"""Parts that are found on disk: a module in the right folder is registered, and nothing else has to be touched."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

from gpudoctor.model.fact import FactSpec


def modules_of(package: ModuleType, having: str) -> tuple[ModuleType, ...]:
    """The modules directly inside a package that define the name `having`, sorted by name."""
    import pkgutil  # not needed where parts are called by name, as a quick answer does

    found = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        if info.ispkg or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if having in vars(module):
            found.append(module)
    return tuple(found)


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
