"""What kind of failure an `import torch` that raised is, by the words of its exception."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec(
        "torch.import_failure",
        FactType.TEXT,
        "glibc, empty_library, nccl_symbol, shadowed_library, undefined_symbol, missing_library, wrong_architecture, "
        "mapping_not_permitted, mapping_refused, out_of_memory, no_permission, numpy, shadowed_module, missing_module "
        "or other; none where the import raised nothing.",
    ),
    FactSpec("torch.import_failure_line", FactType.TEXT, "The line of the exception that says so."),
    FactSpec("numpy.abi_warning", FactType.TEXT, "The words in which torch says that it cannot use this NumPy."),
)
INPUTS = ("torch.import_outcome", "torch.import_error", "torch.import_warnings", "torch.import_stderr")

# The first that matches counts: a missing symbol of NCCL is also an undefined symbol, and so on down the list.
_KINDS = (
    ("glibc", r"version [`'\"]?(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+[`'\"]? not found"),
    ("empty_library", r"file too short"),
    ("nccl_symbol", r"undefined symbol: \w*nccl\w*"),
    ("shadowed_library", r"undefined symbol: \w*(?:nvJitLink|cublas|cudnn|cusparse|cusolver|cudart)\w*"),
    (
        "shadowed_library",
        r"not defined in file lib(?:cublas|cudnn|cusparse|cusolver|nvJitLink|cufft|nvrtc|cudart)\w*\.so",
    ),
    ("undefined_symbol", r"undefined symbol"),
    ("wrong_architecture", r"wrong ELF class|invalid ELF header|cannot execute binary"),
    ("missing_library", r"cannot open shared object file: No such file|DLL load failed"),
    (
        "mapping_not_permitted",
        r"failed to map segment from shared object: (?:Operation not permitted|Permission denied)",
    ),
    ("mapping_refused", r"failed to map segment from shared object|cannot map zero-fill pages"),
    ("out_of_memory", r"^MemoryError|bad_alloc"),
    ("no_permission", r"cannot open shared object file: Permission denied|Operation not permitted"),
    ("numpy", r"compiled using NumPy 1|numpy\.core\.multiarray failed|_ARRAY_API not found"),
    ("shadowed_module", r"partially initialized module|circular import|has no attribute"),
    ("missing_module", r"No module named"),
)
_NUMPY = r"compiled using NumPy 1\.x|Failed to initialize NumPy: _ARRAY_API|_ARRAY_API not found"


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """A warning about NumPy is no failed import; it is told apart."""
    yield Fact("numpy.abi_warning", _numpy_words(facts))
    outcome = facts["torch.import_outcome"]
    error = facts.text("torch.import_error")
    if isinstance(outcome, Unknown) and error is None:
        yield Fact("torch.import_failure", outcome)
        yield Fact("torch.import_failure_line", outcome)
        return
    aborted = [line for line in (facts.text("torch.import_stderr") or "").splitlines() if "std::bad_alloc" in line]
    if outcome == "crashed" and aborted:
        yield Fact("torch.import_failure", "out_of_memory")
        yield Fact("torch.import_failure_line", aborted[0].strip()[:400])
        return
    # A SystemExit has a text like any exception, but says no more than that torch, or what it loads, left.
    if error is None or outcome in ("imported", "exited"):
        yield Fact("torch.import_failure", "none")
        yield Fact("torch.import_failure_line", Unknown(Reason.NOT_APPLICABLE, "the import raised nothing"))
        return
    kind, line = classify(error)
    yield Fact("torch.import_failure", kind)
    yield Fact("torch.import_failure_line", line)


def classify(error: str) -> tuple[str, str]:
    """The kind of an exception's text and the line that shows it."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or [error.strip()]
    for kind, pattern in _KINDS:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return kind, line[:400]
    return "other", lines[-1][:400]


def _numpy_words(facts: Facts) -> str | Unknown:
    texts = [item for item in facts.elements("torch.import_warnings") if isinstance(item, str)]
    texts.append(facts.text("torch.import_stderr") or "")
    for text in texts:
        for line in text.splitlines():
            if re.search(_NUMPY, line):
                return line.strip()[:400]
    return Unknown(Reason.NOT_APPLICABLE, "torch said nothing of the kind")
