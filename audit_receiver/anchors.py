"""The anchors as a configuration asks for them: which checkpoints go where."""

from pathlib import Path

from audit_receiver.anchor.file import FileAnchor
from audit_receiver.anchor.model import Anchor
from audit_receiver.anchor.stdout import StdoutAnchor
from audit_receiver.config import anchors as sections
from audit_receiver.config.model import Config


def build_all(config: Config) -> list[Anchor]:
    """Every anchor of the configuration. Raises ConfigError."""
    return [build(name, section, config.ledger.path) for name, section in config.anchors.items()]


def build(name: str, section: sections.AnchorSection, ledger: Path) -> Anchor:
    """One anchor; `ledger` is for those that read from it. Raises ConfigError."""
    match section:
        case sections.Stdout():
            return StdoutAnchor(name)
        case sections.File():
            return FileAnchor(name, section.path)
    raise TypeError(f"{name}: no anchor is built from {type(section).__name__}")
