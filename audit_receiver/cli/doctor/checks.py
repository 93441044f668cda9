"""What a check says: ok, warn or fail, in words, with the mend."""

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class Check(NamedTuple):
    """One line of the doctor's report."""

    name: str
    level: Level
    message: str
    mend: str = ""


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name, "ok", message)


def warn(name: str, message: str, mend: str) -> Check:
    """It works, and may not go on working or costs something."""
    return Check(name, "warn", message, mend)


def fail(name: str, message: str, mend: str) -> Check:
    """The receiver cannot run like this, or what it keeps is not safe."""
    return Check(name, "fail", message, mend)
