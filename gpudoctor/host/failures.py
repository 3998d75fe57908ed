"""How a refusal of the operating system becomes the error that the door promises; alike live and replayed."""

from __future__ import annotations

import errno
import os

from gpudoctor.host.base import HostError
from gpudoctor.model.fact import Reason

REASONS = {
    "EACCES": Reason.PERMISSION_DENIED,
    "EPERM": Reason.PERMISSION_DENIED,
    "ETIMEDOUT": Reason.TIMED_OUT,
}


def host_error(path: str, error: Exception) -> HostError:
    """From an OSError, or from the ValueError that a path with a null byte gets."""
    number = getattr(error, "errno", None) or errno.EINVAL
    name = errno.errorcode.get(number, str(number))
    text = getattr(error, "strerror", None) or str(error)
    return HostError(REASONS.get(name, Reason.NO_DATA), f"{path}: {text} ({name})", name)


def named_error(path: str, name: str) -> HostError:
    """From an errno's name, with the system's own words for it."""
    number = getattr(errno, name, None) if name.startswith("E") else None
    text = os.strerror(number) if isinstance(number, int) else "refused"
    return HostError(REASONS.get(name, Reason.NO_DATA), f"{path}: {text} ({name})", name)
