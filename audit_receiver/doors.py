"""The OTLP doors as a configuration asks for them: what each takes, where, and from whom."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audit_receiver.config.endpoint import Endpoint
from audit_receiver.config.model import MIB, Config, Grpc, Http, Tls
from audit_receiver.errors import IntegrityError, LedgerError, LedgerUnavailable
from audit_receiver.ledger import redaction_key
from audit_receiver.ledger.appender import Appender
from audit_receiver.ledger.keyproofs import KeyBook
from audit_receiver.otlp.codec import Limits
from audit_receiver.receive import audit, tls
from audit_receiver.receive.admission import Admission
from audit_receiver.receive.audit import Way
from audit_receiver.receive.budget import Budget
from audit_receiver.receive.grpc_server import GrpcServer
from audit_receiver.receive.http_server import HttpServer
from audit_receiver.receive.intake import Intake
from audit_receiver.receive.listening import Place
from audit_receiver.receive.signatures import Producers, load
from audit_receiver.receive.tokens import Tokens
from audit_receiver.record.normalise import Vocabulary
from audit_receiver.record.redact import Matcher, RedactionRule, digest
from audit_receiver.record.redaction import Redactor
from audit_receiver.record.select import Rule
from audit_receiver.telemetry import REDACTED

_log = logging.getLogger(__name__)


class Doors:
    """OTLP/gRPC and OTLP/HTTP in front of one intake."""

    def __init__(self, config: Config, appender: Appender, announce: Callable[[str], None]) -> None:
        otlp = config.receivers.otlp
        self._config = config
        self._announce = announce
        self._stops: list[Callable[[], Awaitable[None]]] = []
        self._key_book = KeyBook(config.ledger.path)
        self._intake = Intake(
            appender,
            rule_of(config),
            _vocabulary(config),
            Budget(otlp.limits.in_flight_bytes),
            otlp.limits.deadline,
            _producers(otlp.producer_keys),
            redactor_of(config),
        )

    async def open(self) -> None:
        """Listen at all endpoints. Raises OSError for one that cannot be had, ConfigError."""
        protocols = self._config.receivers.otlp.protocols
        if protocols.grpc is not None:
            await self._open_grpc(protocols.grpc)
        if protocols.http is not None:
            await self._open_http(protocols.http)
        for door in (protocols.grpc, protocols.http):
            self._warn(door)

    async def stop(self) -> None:
        """Stop both at the same time: one after another, each would take the whole drain."""
        ends = await asyncio.gather(*(stop() for stop in self._stops), return_exceptions=True)
        for fault in ends:
            if isinstance(fault, Exception):
                _log.error("a door did not close as it should", exc_info=fault)

    async def _open_grpc(self, given: Grpc) -> None:
        door = GrpcServer(
            self._intake,
            self._limits(given.max_recv_msg_size_mib * MIB),
            self._admission("grpc", given),
            tls.for_grpc(_files(given.tls)) if given.tls else None,
            given.audit is not None,
        )
        drain = self._config.ledger.drain
        self._stops.append(lambda: door.stop(drain))
        self._announce(f"OTLP/gRPC on {await _bound(door.start, given.endpoint)}{_asks(given)}")

    async def _open_http(self, given: Http) -> None:
        paths: dict[str, Way] = {given.logs_url_path: "logs", given.traces_url_path: "traces"}
        if given.audit is not None:
            paths[audit.PATH] = "audit"
        door = HttpServer(
            self._intake,
            self._limits(given.max_request_body_size),
            self._admission("http", given),
            self._config.ledger.drain,
            tls.for_http(_files(given.tls)) if given.tls else None,
            paths,
            self._tell_keys if given.audit is not None else None,
        )
        self._stops.append(door.stop)
        self._announce(f"OTLP/HTTP on {await _bound(door.start, given.endpoint)}{_asks(given)}")

    async def _tell_keys(self, since: int) -> str:
        try:
            return await asyncio.to_thread(self._key_book.text, since)
        except (LedgerError, IntegrityError) as exc:
            raise LedgerUnavailable(f"keys: {exc}") from exc

    def _admission(self, transport: str, door: Grpc | Http) -> Admission:
        otlp = self._config.receivers.otlp
        return Admission(
            transport,
            otlp.record_headers,
            otlp.require_headers,
            Tokens(door.auth.tokens_file) if door.auth else None,
            door.tls is not None and door.tls.client_ca_file is not None,
        )

    def _limits(self, max_bytes: int) -> Limits:
        limits = self._config.receivers.otlp.limits
        return Limits(max_bytes, limits.items, limits.nesting)

    def _warn(self, door: Grpc | Http | None) -> None:
        """Tell of endpoints that strangers can reach."""
        if door is None:
            return
        mutual = door.tls is not None and door.tls.client_ca_file is not None
        for endpoint in door.endpoint:
            if endpoint.is_local or (door.tls and (mutual or door.auth)):
                continue
            if mutual or door.auth:
                told = "has no TLS: whoever listens on the way learns the tokens"
            else:
                how = "without token" if door.tls else "without TLS or token"
                told = f"takes records from whoever can reach it, {how}"
            self._announce(f"warning: {endpoint} {told}")


def _producers(keys: Mapping[str, Path]) -> Producers | None:
    return Producers(load(name, path) for name, path in keys.items()) if keys else None


def rule_of(config: Config) -> Rule:
    """The selection rule that a configuration asks for."""
    select = config.select
    return Rule(select.attributes, select.except_, select.names)


def redactor_of(config: Config) -> Redactor | None:
    """The rules of redaction of a configuration, None where there are none.

    Raises LedgerError if values are to be hashed and the key for it cannot be had.
    """
    given = config.redact
    if not (given.defaults or given.rules):
        return None
    rules = [RedactionRule(rule.action, rule.keys, rule.values) for rule in given.rules]
    hashes = any(rule.action == "hash" for rule in rules)
    key = redaction_key.load_or_make(config.ledger.path) if hashes else b""
    matcher = Matcher(rules, given.except_, given.defaults, key)
    return Redactor(matcher, lambda action: REDACTED.labels(action).inc())


def redact_digest(config: Config) -> str:
    """The digest of the rules of redaction, "" where there are none."""
    given = config.redact
    if not (given.defaults or given.rules):
        return ""
    rules = [RedactionRule(rule.action, rule.keys, rule.values) for rule in given.rules]
    return digest(rules, given.except_, given.defaults)


def _vocabulary(config: Config) -> Vocabulary:
    extra = {name: names for name, names in config.fields.items() if name != "tenant"}
    tenant = config.fields.get("tenant", ())
    return Vocabulary({**extra, "tenant": tenant[1:]}, tenant[0] if tenant else "")


async def _bound(start: Callable[[Any], Any], endpoints: Sequence[Endpoint]) -> str:
    """Start a door; its addresses as text, in the words of the configuration."""
    try:
        places = await start([Place(one.host, one.port, one.path) for one in endpoints])
    except OSError as exc:
        names = ", ".join(map(str, endpoints))
        raise OSError(f"{names} cannot be bound: {exc.strerror or exc}") from exc
    return ", ".join(str(Endpoint(**place._asdict())) for place in places)


def _files(given: Tls) -> tls.Files:
    return tls.Files(given.cert_file, given.key_file, given.client_ca_file, given.min_version)


def _asks(door: Grpc | Http) -> str:
    """What a door asks of its senders, for the line that announces it."""
    asks = []
    if door.tls:
        asks.append("TLS with client certificates" if door.tls.client_ca_file else "TLS")
    if door.auth:
        asks.append("tokens")
    return f" ({' and '.join(asks)})" if asks else ""
