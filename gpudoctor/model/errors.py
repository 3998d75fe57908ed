"""The errors that gpudoctor raises on purpose; anything else that escapes is a bug of ours (exit code 3)."""


class GpudoctorError(Exception):
    """Base of all errors raised on purpose; the text is written for the person at the terminal."""


class UsageError(GpudoctorError):
    """The question itself is wrong: an unknown code, id or option value (exit code 2)."""


class ExaminationError(GpudoctorError):
    """The target or the document could not be examined, so nothing was judged (exit code 4)."""


class RulesError(GpudoctorError):
    """A rule file is wrong. `problems` holds one line each: file, key, what is wrong and what is allowed."""

    def __init__(self, problems: "list[str]") -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
