"""Pasted text without what pasting put around it: quotation marks of mails and issues, fences, prompts, prefixes.

The lines keep their numbers, so that whatever is found can still be quoted from where it stands.
"""

from __future__ import annotations

import html
import re

LONGEST_LINE = 4_096
MOST_LINES = 60_000
_QUOTED = re.compile(r"^(?:\s{0,3}>[ \t]?){1,6}")
_FENCE = re.compile(r"^\s{0,8}(?:`{3,12}|~{3,12})[\w +-]{0,40}$")
# Tags that issues put around pasted text; those that could be a value's own are left alone.
_TAGS = re.compile(r"</?(?:pre|code|details|summary|p|br|li|ul|b|strong)\s?/?>")
# What `docker compose logs`, kubectl and container builds put before each line.
_SERVICE = re.compile(r"^(?:#\d{1,4} (?:\d{1,6}\.\d{1,6} )?|[A-Za-z][\w.-]{0,80}[-_]\w{1,20} {1,8}\| ?)")
_LOGGED = re.compile(
    r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^ ]{0,20} - (?:[\w.]{1,40} - (?:INFO|WARNING|ERROR|DEBUG) - )?"
    r"|^(?:\d{4}/)?\d\d/\d\d \d\d:\d\d:\d\d - [\w.]{1,40} - (?:INFO|WARNING|ERROR|DEBUG) - "
    r"|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| [A-Z]{4,8} {0,8}\| [\w.:<>-]{1,80} - "
    r"|^\[rank\d{1,5}\]: ?"
    r"|^[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d [\w.-]{1,60} [\w.@-]{1,60}\[\d{1,8}\]: "
)
# Labels before which collect_env begins a line; a line that holds several of them is a whole report.
_RUN_ON = re.compile(
    r"\b(?:PyTorch version|Is debug build|CUDA used to build PyTorch|ROCM used to build PyTorch|OS|GCC version"
    r"|Clang version|CMake version|Libc version|Python version|Python platform|Is CUDA available|CUDA runtime version"
    r"|CUDA_MODULE_LOADING set to|GPU models and configuration|Nvidia driver version|cuDNN version|HIP runtime version"
    r"|MIOpen runtime version|Is XNNPACK available|Versions of relevant libraries|GPU \d{1,3})\s?:|\[(?:pip3?|conda)\] "
    # transformers and accelerate, ComfyUI
    r"|(?:- )?(?:Platform|PyTorch version \((?:GPU|accelerator)\?\)|Huggingface_hub version|Numpy version|GPU type): "
    r"|\b(?:pytorch version|xformers version|ComfyUI version|Python executable|Device): |Total VRAM \d"
)
LEAST_LABELS = 3
MOST_PAIRS = 2_000
_GOES_ON = re.compile(r"\s{0,4}[a-z][a-z_0-9]{0,20} [^:=]{10,}")
_REPORT = re.compile(r"^\s{0,8}PyTorch version\s{0,30}:")
_ANNOUNCED = re.compile(r"Collecting environment information")
# The characters of other keyboards for what our formats write in ASCII.
_ASCII = str.maketrans(
    {
        "\uff1a": ":",
        "\uff0c": ",",
        "\uff08": "(",
        "\uff09": ")",
        "\u00a0": " ",
        "\u3000": " ",
        "\u2018": "'",
        "\u2019": "'",
        "\u200b": "",
    }
)


def bare_lines(text: str) -> list[str]:
    """The lines of a document, one for each of it, with the dressing taken off; fences become empty lines."""
    return [_bare(line[:LONGEST_LINE].rstrip("\r")) for line in text.split("\n")[:MOST_LINES]]


def _bare(line: str) -> str:
    line = line.translate(_ASCII).rstrip()
    if "&" in line:
        line = html.unescape(line).rstrip()
    line = _TAGS.sub("", line) if "<" in line else line
    line = _QUOTED.sub("", line) if not line.startswith(">>>") else line
    if _FENCE.match(line):
        return ""
    service = _SERVICE.match(line)
    if service and "==" not in service[0]:
        line = line[service.end() :]
    return _LOGGED.sub("", line)


def taken_apart(lines: list[str]) -> list[str]:
    """Reports that lost their line ends, as those pasted into a web form without a fence do, with the ends put back."""
    apart: list[str] = []
    for line in lines:
        if len(line) > 80 and len(_RUN_ON.findall(line)) >= LEAST_LABELS:
            pieces = _RUN_ON.sub(r"\n\g<0>", line).split("\n")
            apart += [re.sub(r" (?:-|\*\*)$", "", piece.strip()) for piece in pieces if piece.strip()]
    return apart


def _sentences(lines: list[str]) -> list[str]:
    """Sentences that a writer or a mail program broke: one line ends in a word, the next goes on in small letters."""
    joined = []
    for line, following in zip(lines[:MOST_PAIRS], lines[1:]):
        if len(line) >= 20 and line[-1:].isalnum() and _GOES_ON.match(following):
            joined.append(f"{line} {following.strip()}")
    return joined


def end_of_first(lines: list[str]) -> int:
    """Where a second report of collect_env begins: of another machine or moment, so that it must not be mixed in."""
    starts = [place for place, line in enumerate(lines) if _REPORT.match(line) and _is_report(lines, place)]
    if len(starts) < 2:
        return len(lines)
    announced = [place for place in range(starts[0] + 1, starts[1]) if _ANNOUNCED.search(lines[place])]
    return announced[0] if announced else starts[1]


def _is_report(lines: list[str], place: int) -> bool:
    return any(line.lstrip().startswith("Is debug build") for line in lines[place + 1 : place + 4])


def rejoined(lines: list[str]) -> list[str]:
    """Long messages that a terminal or an editor broke in two, as the one line that they were.

    Only where the text as a whole was broken at some width: then several lines end just there.
    """
    lengths = [len(line) for line in lines if len(line) >= 40]
    if len(lengths) < 3:
        return _sentences(lines)
    width = max(lengths)
    full = [place for place, line in enumerate(lines[:-1]) if width - 16 <= len(line) <= width]
    if len(full) < 2 or width > 200:
        return _sentences(lines)
    joined = _sentences(lines)
    for place in full[:500]:
        following = lines[place + 1].strip()
        if following and not re.match(r"[-*#|+=\[]|\w[\w .]{0,40}: ", following):
            joined.append(f"{lines[place]} {following}")
            joined.append(f"{lines[place]}{following}")
    return joined
