"""gpudoctor: diagnoses PyTorch/CUDA environments and explains why jobs died."""

from __future__ import annotations

from gpudoctor._version import VERSION

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost more than all the rest
if TYPE_CHECKING:
    from gpudoctor.api import check, explain_exit, judge, to_json, to_markdown

__version__ = VERSION
__all__ = ["__version__", "check", "explain_exit", "judge", "to_json", "to_markdown"]


def __getattr__(name: str) -> object:
    """The functions of the API, loaded when they are first asked for: importing gpudoctor costs next to nothing."""
    if name in __all__ and not name.startswith("_"):
        from gpudoctor import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
