"""Parts are found by lying in the right folder, also where that folder lies in an archive."""

from __future__ import annotations

import importlib
import sys
import zipfile
from pathlib import Path

import pytest

from gpudoctor.model.fact import FactSpec, FactType
from gpudoctor.model.registry import modules_of, specs_of

FILES = {
    "__init__.py": "",
    "second.py": "PART = 2\n",
    "first.py": "PART = 1\n",
    "bare.py": "",
    "_private.py": "PART = 3\n",
    "inner/__init__.py": "PART = 4\n",
    "notes.txt": "PART = 5\n",
}


@pytest.mark.parametrize("archive", [False, True])
def test_modules_that_have_a_name_are_found_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bool
) -> None:
    package = f"parts_{'archived' if archive else 'plain'}"
    place = tmp_path / "packed.zip" if archive else tmp_path
    if archive:
        with zipfile.ZipFile(place, "w") as packed:
            for name, text in FILES.items():
                packed.writestr(f"{package}/{name}", text)
    else:
        for name, text in FILES.items():
            (tmp_path / package / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / package / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(place))
    found = modules_of(importlib.import_module(package), "PART")
    assert [(module.__name__.rsplit(".", 1)[1], vars(module)["PART"]) for module in found] == [
        ("first", 1),
        ("second", 2),
    ]
    assert f"{package}._private" not in sys.modules


def test_a_fact_that_two_modules_declare_is_our_bug() -> None:
    one, two = type(sys)("one"), type(sys)("two")
    one.FACTS = two.FACTS = (FactSpec("a.b", FactType.TEXT, "a"),)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"a\.b is declared by one and by two"):
        specs_of([one, two])
