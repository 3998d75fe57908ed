"""What people paste about their environment: one report, or several of several tools with prose around them.

Every line goes past all who know lines of some form, so it does not matter where one report ends and the next begins,
how the text was quoted, or how much of it is missing.
"""

from __future__ import annotations

import re

from gpudoctor.intake.base import Reading
from gpudoctor.intake.environment_banners import installed, read_banners
from gpudoctor.intake.environment_gpus import read_gpus
from gpudoctor.intake.environment_labels import read_line
from gpudoctor.intake.environment_lightning import read_lightning
from gpudoctor.intake.environment_messages import answers, read_messages
from gpudoctor.intake.environment_packages import read_packages
from gpudoctor.intake.environment_shapes import reshaped
from gpudoctor.intake.environment_smi import read_smi
from gpudoctor.intake.pasted_text import bare_lines, end_of_first, rejoined, taken_apart
from gpudoctor.intake.statements import Statements

KIND = "environment"
FACTS = ()
# What gives each kind of report away: name -> a line that only it prints.
KINDS = {
    "torch.utils.collect_env": re.compile(
        r"CUDA used to build PyTorch|Is CUDA available\s{0,30}:|GPU models and configuration"
    ),
    "vLLM collect_env": re.compile(r"vLLM (?:Version|Build Flags)", re.IGNORECASE),
    "SGLang check_env": re.compile(r"^(?:sglang|sgl_kernel): ", re.MULTILINE),
    "mmcv or mmengine": re.compile(r"MMCV\b.{0,20}:|MMEngine\b.{0,4}:|PyTorch compiling details", re.IGNORECASE),
    "ds_report": re.compile(
        r"DeepSpeed general environment info|deepspeed wheel compiled w\.|DeepSpeed C\+\+/CUDA extension op"
    ),
    "transformers env": re.compile(
        r"`?(?:transformers|diffusers)`? version: |Huggingface_?\s?hub version: ", re.IGNORECASE
    ),
    "accelerate env": re.compile(r"`?Accelerate`? version: |`Accelerate` default config"),
    "bitsandbytes": re.compile(r"CUDA SETUP: |bitsandbytes v\d|Welcome to bitsandbytes"),
    "xformers.info": re.compile(r"memory_efficient_attention\.\w|^pytorch\.version: ", re.MULTILINE),
    "Lightning": re.compile(r"^\s*\* (?:Lightning|CUDA):$", re.MULTILINE),
    "nvidia-smi": re.compile(r"NVIDIA-SMI \d|=NVSMI LOG=|<nvidia_smi_log>|^GPU \d+: .{3,60}\(UUID: ", re.MULTILINE),
    "nvidia-smi topo": re.compile(r"^\s*GPU0\s.*CPU Affinity", re.MULTILINE),
    "nvcc --version": re.compile(r"Cuda compilation tools, release"),
    "packages": re.compile(r"^\s*(?:\[(?:pip3?|conda)\] |Package\s+Version|[A-Za-z][\w.-]{1,60}==\d)", re.MULTILINE),
}
_BEGINNING = 65_536
MOST_NOTED = 50


def recognises(beginning: str, name: str) -> float:
    """One of the reports that only describe an environment; those of nvidia-smi and pip have readers of their own."""
    part = beginning[:_BEGINNING]
    own = ("nvidia-smi", "nvcc --version", "packages", "bitsandbytes")
    seen = [kind for kind, sign in KINDS.items() if kind not in own and sign.search(part)]
    if not seen:
        return 0.0
    return 0.88 if part.count("\n") < 400 else 0.55


def read(document: str) -> Reading:
    """Everything that any part of it states; broken lines are handed on whole."""
    every = bare_lines(document)
    lines = every[: end_of_first(every)]
    whole = len(lines)
    shapes = reshaped(lines)
    pip = installed(lines)
    lines += taken_apart(lines) + [one.text for one in shapes if not one.is_told] + [text for _, text in pip]
    stated = Statements()
    understood = {one.place for one in shapes} | {place for place, _ in pip}
    understood |= read_gpus(lines, stated)
    for one in shapes:
        read_line(one.text, stated, one.is_told)
    for place, line in enumerate(lines):
        if read_line(line, stated) is not None:
            understood.add(place)
    for place, answer in answers(lines):
        if read_line(answer, stated):
            understood |= {place, place + 1}
    understood |= read_lightning(lines, stated)
    understood |= read_banners(lines, stated)
    joined = rejoined(every)
    understood |= read_messages(lines, stated)
    read_messages(joined, stated)
    understood |= read_packages(lines, stated)
    read_smi("\n".join(lines), stated)
    if stated.known("torch.cuda_available") is True and stated.known("torch.build") == "cpu":
        stated.withdraw("torch.build")  # what was seen to work outranks what a report could not tell
    notes = _notes(document, lines[:whole], understood)
    more = (f"from line {whole + 1} on it describes another environment, which was not judged",)
    return Reading(stated.facts(), tuple(joined), notes + more if whole < len(every) else notes)


def _notes(document: str, lines: list[str], understood: set[int]) -> tuple[str, ...]:
    kinds = [kind for kind, sign in KINDS.items() if sign.search(document)]
    seen = f"seen in it: {', '.join(kinds)}" if kinds else "no report of a known kind was seen in it"
    rest = [place for place, line in enumerate(lines) if line.strip() and place not in understood]
    shown = [f"line {place + 1} says nothing known: {lines[place].strip()[:120]}" for place in rest[:MOST_NOTED]]
    more = [f"and {len(rest) - MOST_NOTED} further lines say nothing known"] if len(rest) > MOST_NOTED else []
    return (seen, *shown, *more)
