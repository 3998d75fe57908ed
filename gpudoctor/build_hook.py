"""Lets the build put the packed rules into the wheel. Run by setuptools only, by its path, before gpudoctor is there.

Nothing at run time imports this module, and the wheel leaves it out. It also clears what an earlier build left
behind: a rule file that was deleted from the sources must not live on in a wheel.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

from setuptools.command.build_py import build_py

_HERE = Path(__file__).resolve().parent
_RULES = _HERE.parent / "rules"
_TARGET = "gpudoctor/_rules"


class BuildRules(build_py):  # type: ignore[misc] # setuptools brings no types
    """build_py, followed by packing `rules/` into one file beside its copies."""

    def run(self) -> None:
        """Build; an editable install reads the sources and needs nothing packed."""
        target = Path(self.build_lib) / _TARGET
        if not self.editable_mode:
            shutil.rmtree(target, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            compiler = _compiler()
            packed = compiler.pack(compiler.read_tree(_RULES))
            target.mkdir(parents=True, exist_ok=True)
            (target / compiler.PACKED_NAME).write_bytes(packed)
            (target / "typed.bin").write_bytes(_finished())

    def build_module(self, module: str, module_file: str, package: object) -> object:
        """Copy one module, unless it is this one."""
        if Path(module_file).resolve() == Path(__file__).resolve():
            return None
        return super().build_module(module, module_file, package)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """The files that the build makes, the packed one among them."""
        outputs = super().get_outputs(include_bytecode)
        made = [] if self.editable_mode else ["packed.bin", "typed.bin"]
        return [*outputs, *(str(Path(self.build_lib) / _TARGET / name) for name in made)]


def _finished() -> bytes:
    """The rules as finished objects. The code beside this file makes them; it needs none of its dependencies."""
    sys.path.insert(0, str(_HERE.parent))
    try:
        from gpudoctor.declared import known_specs
        from gpudoctor.knowledge.catalogue import Catalogue
        from gpudoctor.knowledge.source import find_rules

        return Catalogue(find_rules(), known_specs()).finished()
    finally:
        sys.path.remove(str(_HERE.parent))


def _compiler() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_gpudoctor_compile", _HERE / "knowledge" / "compile.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{_HERE / 'knowledge' / 'compile.py'} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
