"""The anchors as a configuration asks for them: which checkpoints go where."""

import time
from pathlib import Path

from audit_receiver.anchor.cosigning import MOST_ANSWER_BYTES, Place
from audit_receiver.anchor.file import FileAnchor
from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.model import Anchor
from audit_receiver.anchor.object_store import ObjectStoreAnchor
from audit_receiver.anchor.otlp import OtlpAnchor
from audit_receiver.anchor.stdout import StdoutAnchor
from audit_receiver.anchor.timestamp import KIND as TIMESTAMP
from audit_receiver.anchor.timestamp import TimestampAnchor
from audit_receiver.anchor.webhook import WebhookAnchor
from audit_receiver.anchor.witness import WitnessAnchor
from audit_receiver.config import anchors as sections
from audit_receiver.config.model import Config
from audit_receiver.ledger.reader import Reader
from audit_receiver.mirror import s3


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
        case sections.Timestamp():
            return _timestamp(name, section, ledger)
        case sections.OtlpBackend():
            peer = _peer(section.endpoint, section)
            return OtlpAnchor(name, peer, section.endpoint, section.compression, section.headers)
        case sections.Webhook():
            return WebhookAnchor(
                name,
                _peer(section.url, section),
                section.url,
                section.headers,
                section.token_file,
                section.secret_file,
                time.time_ns,
            )
        case sections.Witness():
            return _witness(name, section, ledger)
        case sections.ObjectStore():
            return _object_store(name, section, ledger)
    raise TypeError(f"{name}: no anchor is built from {type(section).__name__}")


def _timestamp(name: str, section: sections.Timestamp, ledger: Path) -> TimestampAnchor:
    def newest_token() -> tuple[int, bytes] | None:
        with Reader(ledger) as reader:
            return reader.newest_anchored(name, TIMESTAMP)

    return TimestampAnchor(
        name,
        _peer(section.url, section),
        section.url,
        section.ca_file,
        section.interval,
        section.hash,
        section.headers,
        time.time_ns,
        newest_token,
    )


def _witness(name: str, section: sections.Witness, ledger: Path) -> WitnessAnchor:
    def peer(url: str) -> Peer:
        return Peer(url, section.tls_ca_file, section.timeout, MOST_ANSWER_BYTES)

    places = [
        Place(one.key, peer(one.url), peer(one.monitoring_url or one.url))
        for one in section.witnesses
    ]
    return WitnessAnchor(name, places, section.needed, ledger, section.timeout)


def _object_store(name: str, section: sections.ObjectStore, ledger: Path) -> ObjectStoreAnchor:
    place = s3.parse(section.url, section.endpoint_url, section.region)
    retention = s3.Retention(section.retention_seconds, time.time_ns)
    return ObjectStoreAnchor(
        name,
        s3.S3Store(place, s3.client_for(place), retention),
        ledger,
        section.content == "log",
        section.bodies,
        section.log_interval,
        section.timeout,
    )


def _peer(url: str, section: sections.Outside) -> Peer:
    return Peer(url, section.tls_ca_file, section.timeout)
