"""A small rules folder with one of everything, the facts that it speaks about, and ways to bend it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import RulesSource, TomlTree
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType
from gpudoctor.model.version import Version

ROOT = Path(__file__).resolve().parents[1] / "knowledge" / "fixtures" / "rules"
SPECS = {
    spec.key: spec
    for spec in (
        FactSpec("driver.version", FactType.VERSION, "driver"),
        FactSpec("driver.cuda_version", FactType.VERSION, "newest CUDA of the driver"),
        FactSpec("cuda.min_driver", FactType.VERSION, "oldest driver"),
        FactSpec("torch.cuda_version", FactType.VERSION, "CUDA of the build"),
        FactSpec("torch.cuda_available", FactType.BOOLEAN, "is_available()"),
        FactSpec("torch.installed", FactType.BOOLEAN, "torch is there"),
        FactSpec("torch.import_error", FactType.TEXT, "what the import said"),
        FactSpec("torch.arch_list", FactType.TEXT_LIST, "architectures"),
        FactSpec("gpu.expected", FactType.BOOLEAN, "a GPU is meant"),
        FactSpec("gpu.count", FactType.INTEGER, "GPUs"),
        FactSpec("gpu.names", FactType.TEXT_LIST, "names", per_device=True),
        FactSpec("gpu.temperature_celsius", FactType.INTEGER_LIST, "heat", unit="celsius", per_device=True),
        FactSpec("gpu.compute_capabilities", FactType.VERSION_LIST, "capabilities", per_device=True),
        FactSpec("load.average", FactType.NUMBER, "load"),
    )
}


def catalogue(root: Path = ROOT) -> Catalogue:
    return Catalogue(RulesSource([TomlTree(root, "rules")]), SPECS)


def copy_to(folder: Path) -> Path:
    return Path(shutil.copytree(ROOT, folder / "rules"))


def bend(root: Path, path: str, old: str, new: str) -> None:
    """Replace one piece of one rule file."""
    text = (root / path).read_text(encoding="utf-8")
    assert old in text
    (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def facts(**values: Any) -> Facts:
    """Facts by key, with a double underscore for the dot."""
    return Facts(Fact(key.replace("__", ".", 1), value) for key, value in values.items())


def version(text: str) -> Version:
    return Version.parse(text)
