"""The answer of `gpudoctor wheel` in words: what to install first, then the next best, then why none of the others."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import builds, wheel
from gpudoctor.knowledge.wheel_question import OPEN, Pair, Question
from gpudoctor.model.version import Version

MOST_REASONS = 6
SHOWN_ALTERNATIVES = 3
NAMES_SHOWN = 3


def answer_text(question: Question, choice: wheel.WheelChoice, pair: Pair | None, newest: str, verbose: bool) -> str:
    """The whole answer, ending with a newline."""
    parts = [_for_whom(question)]
    if question.remark:
        parts.append(question.remark)
    if pair is not None and pair.verdict != builds.OFFICIAL:
        parts.append(_pair_text(pair, question))
    elif choice.best is None:
        parts.append(_none_text(question, choice, newest))
    else:
        parts += _best_text(choice, question)
    rejected = _of_interest(choice, verbose) if pair is None or pair.verdict == builds.OFFICIAL else []
    if rejected:
        parts.append(_rejected_text(rejected, choice.best, verbose))
    return "\n\n".join(parts) + "\n"


def _for_whom(question: Question) -> str:
    wanted, sources = question.wanted, question.sources
    driver = f"driver {wanted.driver}" if wanted.driver else ""
    if not driver and wanted.driver_cuda:
        driver = f"a driver of CUDA {wanted.driver_cuda}"
    gpus = ", ".join(f"{gpu.name} ({gpu.capability})" for gpu in dict.fromkeys(wanted.gpus))
    python = f"Python {wanted.python}" if wanted.python else ""
    told = [
        f"{text} ({sources[name]})" if text else f"{name} {OPEN}"
        for name, text in (("driver", driver), ("gpus", gpus), ("python", python))
    ]
    names = {wheel.LINUX: "Linux x86-64", wheel.LINUX_ARM: "Linux aarch64", wheel.WINDOWS: "Windows"}
    return f"For {', '.join(told)}, {names[wanted.platform]}:".replace("gpus not", "GPU not")


def _best_text(choice: wheel.WheelChoice, question: Question) -> list[str]:
    best = choice.best
    if best is None:
        return []
    lines = [f"Install torch {best.torch} {_kind(best)}.", "", *_commands(best, question.has_torch)]
    parts = ["\n".join(lines)]
    notes = _notes(best, question)
    if notes:
        parts.append("\n".join(f"Note: {note}" for note in notes))
    if choice.alternatives:
        shown = [f"  torch {item.torch} {_kind(item)}{_needs(item)}" for item in choice.alternatives]
        more = len(shown) - SHOWN_ALTERNATIVES
        tail = [f"  ... and {more} more (--json names {len(shown)})"] if more > 0 else []
        parts.append("\n".join(["Next best:", *shown[:SHOWN_ALTERNATIVES], *tail]))
    return parts


def _kind(item: wheel.Wheel) -> str:
    return "without CUDA (cpu)" if item.variant == wheel.CPU else f"built for CUDA {item.cuda} ({item.variant})"


def _needs(item: wheel.Wheel) -> str:
    return f", needs driver {item.min_driver} or newer" if item.min_driver else ""


def _commands(item: wheel.Wheel, has_torch: bool) -> list[str]:
    first = wheel.REMOVE_FIRST if has_torch else ""
    return [f"  {first}{item.pip_command}", "or", f"  {item.uv_command}"]


def _notes(best: wheel.Wheel, question: Question) -> list[str]:
    notes = []
    if best.doubt:
        notes.append(f"{best.doubt}; nothing better serves what was asked.")
    if best.left_out:
        notes.append(f"left out of the command: {best.left_out}.")
    if best.min_driver and question.sources["driver"] == OPEN:
        notes.append(f"the driver is not known here; this build needs {best.min_driver} or newer.")
    if best.cuda and question.sources["gpus"] == OPEN:
        notes.append("the GPU is not known here; give --gpu NAME to make sure that the build holds code for it.")
    return notes


def _none_text(question: Question, choice: wheel.WheelChoice, newest: str) -> str:
    wanted = question.wanted
    asked = f" within torch {wanted.torch}" if wanted.torch else ""
    asked += f" in {wanted.variant}" if wanted.variant else ""
    if choice.rejected:
        return f"No official build{asked} serves this."
    if wanted.torch and newest and not _at_most(wanted.torch, newest):
        return f"Nothing is known of torch {wanted.torch}: these tables end with {newest}."
    return f"There is no official build{asked}."


def _at_most(wish: str, newest: str) -> bool:
    return Version.parse(wish) <= Version.parse(newest)


def _pair_text(pair: Pair, question: Question) -> str:
    if pair.verdict == builds.IMPOSSIBLE:
        lines = [f"torch {pair.torch} was never published for {pair.variant}: no official wheel of that pair exists."]
    else:
        lines = [f"Whether torch {pair.torch} was published for {pair.variant} is not certain, so it is not offered."]
    if pair.published:
        lines.append(f"torch {pair.torch} exists as {', '.join(pair.published)}.")
    if pair.releases:
        first, last = pair.releases[-1], pair.releases[0]
        lines.append(f"{pair.variant} was published for torch {first}" + (f" to {last}." if first != last else "."))
    else:
        lines.append(f"No release that is known here was surely published for {pair.variant}.")
    if pair.nearest:
        lines += ["", "Nearest:"]
        for item in pair.nearest:
            lines += [f"torch {item.torch} {_kind(item)}{_needs(item)}", *_commands(item, question.has_torch)]
    return "\n".join(lines)


def _of_interest(choice: wheel.WheelChoice, verbose: bool) -> list[wheel.Rejected]:
    """All of them, or those newer than the best: what somebody would ask about."""
    best = choice.best
    if best is None or verbose:
        return list(choice.rejected)
    least = (Version.parse(best.torch), best.variant)
    return [item for item in choice.rejected if (Version.parse(item.torch), item.variant) > least]


def _rejected_text(rejected: Iterable[wheel.Rejected], best: wheel.Wheel | None, verbose: bool) -> str:
    grouped: dict[str, list[str]] = {}
    for item in rejected:
        grouped.setdefault(item.reason, []).append(f"{item.torch}+{item.variant}")
    shown = list(grouped.items()) if verbose or best is None else list(grouped.items())[:MOST_REASONS]
    lines = ["Why not the others:" if best is None or verbose else "Why nothing newer:"]
    for reason, names in shown:
        named = ", ".join(names if verbose else names[:NAMES_SHOWN])
        if not verbose and len(names) > NAMES_SHOWN:
            named += f" and {len(names) - NAMES_SHOWN} more"
        lines.append(f"  {named}: {reason}")
    left = len(grouped) - len(shown)
    if left:
        lines.append(f"  ... and {left} more reasons (--verbose shows all)")
    return "\n".join(lines)
