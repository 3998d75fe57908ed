"""Statements in another shape than `label: value`, brought into it: tables, headings of issue forms, bare answers.

detectron2 and Ultralytics print two columns, forms of issue trackers put a heading above each answer, and people make
Markdown tables. What they state is the same, so that the table of labels can read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gpudoctor.intake.environment_labels import is_label
from gpudoctor.model.record import record

# A line that only this table has -> the labels of its rows, with the labels that mean the same elsewhere.
_DETECTRON = re.compile(r"^\s{0,4}sys\.platform\s{2,40}(?:linux|win32|darwin)\s*$")
_DETECTRON_LABELS = {
    "Python": "Python",
    "numpy": "numpy",
    "PyTorch": "PyTorch",
    "GPU available": "Is CUDA available",
    "Driver version": "NVIDIA Driver Version",
    "CUDA_HOME": "CUDA_HOME",
    "torchvision": "torchvision",
}
_ULTRALYTICS = re.compile(r"^\s{0,4}Environment\s{2,40}\S")
_ULTRALYTICS_LABELS = {"OS": "Platform", "Python": "Python", "GPU": "GPU type", "GPU count": "GPU count"}
_ROW = re.compile(r"^\s{0,4}(?P<label>[A-Za-z][\w., ]{0,60}?)\s{2,60}(?P<value>\S.{0,300})$")
# `torch  <tick> 2.4.1+cu121>=1.8.0`: what Ultralytics requires and what it found.
_REQUIRED = re.compile(r"^[\u2705\u274c] ?(?P<version>\d[\w.+-]{0,40}?)(?:[<>=!~;].{0,120})?$")
_GPU_ROW = re.compile(r"^GPU \d{1,3}(?:,\d{1,3}){0,255}$")
_ARCH = re.compile(r"\s{1,4}\(arch=(?P<capability>\d{1,2}\.\d)\)\s*$")
_INSTALLED_AT = re.compile(r"\s@\s?(?:/|[A-Za-z]:\\).*$")
_LONGEST_TABLE = 60
_PACKAGES_HEAD = re.compile(r"^\s{0,8}\|?\s{0,20}(?:Name|Package)\s{0,40}\|\s{0,40}Version\s{0,40}\|", re.IGNORECASE)
_PACKAGE_ROW = re.compile(
    r"^\s{0,8}\|?\s{0,4}(?P<name>[A-Za-z_][\w.-]{0,60})\s{0,40}\|\s{0,40}v?(?P<version>\d[\w.+!-]{0,40})\s{0,40}"
    r"\|(?:\s{0,40}(?P<build>[\w.+-]{1,60})\s{0,40}\|)?"
)
_CELLS = re.compile(r"^\s{0,8}\|(?P<label>[^|\n]{1,80})\|(?P<value>[^|\n]{1,300})\|\s*$")
_HEADING = re.compile(
    r"^\s{0,3}(?:#{2,5}\s{1,4}(?P<label>[^#\n]{2,60}?)\s{0,4}#{0,5}|\*\*(?P<bold>[^*\n]{2,60})\*\*)\s*:?\s*$"
)
_NO_ANSWER = re.compile(r"^\s{0,3}(?:#|<|```|~~~|!\[|\*\*|_No response_|- \[)")
_LONGEST_ANSWER = 120


@record
class Reshaped:
    """A statement as `label: value`, the line that it came from, and whether a person gave it as an answer."""

    place: int
    text: str
    is_told: bool = False


def reshaped(lines: Sequence[str]) -> list[Reshaped]:
    """What tables and answered headings state, in the order of the lines."""
    found: list[Reshaped] = []
    of_packages = False
    for place, line in enumerate(lines):
        of_packages = "|" in line and (of_packages or bool(_PACKAGES_HEAD.match(line)))
        if "sys.platform" in line and _DETECTRON.match(line):
            found += _table(lines, place, _DETECTRON_LABELS)
        elif line.lstrip().startswith("Environment") and _ULTRALYTICS.match(line):
            found += _table(lines, max(0, place - 3), _ULTRALYTICS_LABELS)
        elif of_packages:
            found += _package(place, line)
        elif "|" in line:
            found += _cells(place, line)
        elif line.lstrip()[:2] in ("##", "**"):
            found += _answer(lines, place)
    return found


def _table(lines: Sequence[str], first: int, labels: dict[str, str]) -> Iterator[Reshaped]:
    """Two columns with blanks between them, up to the first line that is none."""
    for place in range(first, min(len(lines), first + _LONGEST_TABLE)):
        row = _ROW.match(lines[place])
        if row is None:
            if lines[place].strip() and place > first + 3:
                return
            continue
        label, value = row["label"].strip(), _INSTALLED_AT.sub("", row["value"]).strip()
        if _GPU_ROW.match(label):
            arch = _ARCH.search(value)
            yield Reshaped(place, f"{label}: {_ARCH.sub('', value)}")
            if arch:
                yield Reshaped(place, f"{label} Compute Capability: {arch['capability']}")
        elif label in labels:
            yield Reshaped(place, f"{labels[label]}: {value}")
        else:
            required = _REQUIRED.match(value)
            if required:
                yield Reshaped(place, f"{label}=={required['version']}")


def _package(place: int, line: str) -> Iterator[Reshaped]:
    """A row of a list of packages that was made a Markdown table."""
    row = _PACKAGE_ROW.match(line)
    if row:
        yield Reshaped(place, f"[conda] {row['name']}  {row['version']}  {row['build'] or ''}".rstrip())


def _cells(place: int, line: str) -> Iterator[Reshaped]:
    """A row of a Markdown table with two columns; with more, the columns may be different machines."""
    cells = _CELLS.match(line)
    label = cells["label"].strip().strip("`*") if cells else ""
    if cells and is_label(label):
        yield Reshaped(place, f"{label}: {cells['value'].strip()}", is_told=True)


def _answer(lines: Sequence[str], place: int) -> Iterator[Reshaped]:
    """A heading that asks for something, with one short line as its answer."""
    heading = _HEADING.match(lines[place])
    label = (heading["label"] or heading["bold"]).strip(" :?*`") if heading else ""
    if not heading or not is_label(label):
        return
    below = [text for text in lines[place + 1 : place + 4] if text.strip()][:1]
    if below and not _NO_ANSWER.match(below[0]) and len(below[0]) <= _LONGEST_ANSWER:
        yield Reshaped(place, f"{label}: {below[0].strip()}", is_told=True)
