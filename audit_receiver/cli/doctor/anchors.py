"""Whether checkpoints get out of the operator's reach: each anchor asked, and where files lie."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from audit_receiver.cli.doctor.checks import Check, fail, ok, warn
from audit_receiver.errors import ConfigError

if TYPE_CHECKING:
    from audit_receiver.config.model import Config
    from audit_receiver.ledger.outside import Known

_NO_WORD = frozenset({"stdout", "webhook", "otlp", "timestamp"})  # nobody there can be asked


def checks(config: "Config") -> Iterator[Check]:
    """One line an anchor; none at all is worth a word."""
    from audit_receiver import publishing
    from audit_receiver.config.anchors import File, kind

    if not config.anchors:
        yield warn(
            "anchors",
            "no checkpoint leaves this machine: whoever owns it can rewrite everything unseen",
            "name some under `anchors`; docs/anchors.md says which buys what",
        )
        return
    try:
        known, unasked = asyncio.run(publishing.ask(config))
    except ConfigError as exc:
        yield fail("anchors", str(exc), "correct it; `serve` would not start")
        return
    for name, section in config.anchors.items():
        if isinstance(section, File):
            yield file_anchor(f"anchor {name}", section.path, config.ledger.path)
        elif problem := next((one for one in unasked if f"anchor {name} " in one), ""):
            yield warn(f"anchor {name}", problem, "look at it; the receiver starts all the same")
        else:
            told = "its keeper cannot be asked what it knows" if kind(name) in _NO_WORD else ""
            yield ok(f"anchor {name}", told or _told(name, known))
    yield from _known(config, known)


def file_anchor(name: str, path: Path, ledger: Path) -> Check:
    """Whether the file can be appended to, and lies on another file system than the ledger."""
    place = path if path.exists() else _nearest(path.absolute().parent)
    if not os.access(place, os.W_OK):
        return fail(
            name,
            f"{path} cannot be written by this user (uid {os.geteuid()})",
            "run doctor as the service's user, or give the file's directory to it",
        )
    if place.stat().st_dev == _nearest(ledger.absolute().parent).stat().st_dev:
        return warn(
            name,
            f"{path} lies on the ledger's own file system: who loses or owns one has both",
            "put it on another volume, or take an anchor out of the operator's reach besides",
        )
    return ok(name, f"{path} can be appended to, on another file system than the ledger's")


def _told(name: str, known: "list[Known]") -> str:
    from audit_receiver.ledger import outside

    stated = [one for one in outside.read(known) if one.anchor == name]
    if not stated:
        return "answers, and knows nothing of this ledger yet"
    most = max(stated, key=lambda one: one.checkpoint.size).checkpoint
    return f"knows the checkpoint of size {most.size} of {most.origin}"


def _known(config: "Config", known: "list[Known]") -> Iterator[Check]:
    """Whether a ledger that is not there is known outside: then it was lost, not never begun."""
    from audit_receiver.errors import LedgerError
    from audit_receiver.ledger import outside

    if not config.ledger.path.exists():
        try:
            outside.refuse_if_known(config.ledger.path, known)
        except LedgerError as exc:
            yield fail("anchors", str(exc), "restore the ledger, or recover")


def _nearest(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    while not path.exists():
        path = path.parent
    return path
