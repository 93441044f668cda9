"""An opened request to observations: audit items converted, all others counted and passed over."""

import itertools
import re
from functools import lru_cache
from typing import Any, NamedTuple

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp import convert, envelope, shared
from audit_receiver.otlp.anyvalue import ValueReader, check, settle
from audit_receiver.otlp.envelope import Request, ResourceGroup, ScopeGroup, Signal
from audit_receiver.otlp.schema import LogRecord, Span
from audit_receiver.record.model import Observation, Shared
from audit_receiver.record.select import Rule

# Every record carries its resource and scope. One request may unfold to so much of them, no more.
SHARED_BYTES = 1 << 29


class Walk(NamedTuple):
    """What a request holds."""

    observations: list[Observation]  # the audit ones, in the order of the request
    received: dict[str, int]  # spans and log records by service name, audit or not
    skipped: dict[str, int]  # those of them that are not audit


def walk(signal: Signal, request: Request, rule: Rule) -> Walk:
    """Convert every audit span or log record of a request; count the others.

    Raises:
        MalformedRequest: an item is not protobuf, or nests too deeply; nothing is to be kept.
        RequestTooLarge: it unfolds to more than one request may.
    """
    return _Walker(signal, request, rule).run()


class _Walker:
    """The state of one walk: what was found so far, and how much of it there may be."""

    def __init__(self, signal: Signal, request: Request, rule: Rule) -> None:
        self.signal: Signal = signal
        self.request = request
        self.rule = rule
        self.words = literals(rule.attributes, rule.names)
        self.reader = ValueReader(request.nesting)
        self.observations: list[Observation] = []
        self.shared_bytes = 0
        self.kind: Any = Span if signal == "traces" else LogRecord
        self.convert = convert.span if signal == "traces" else convert.log
        self.is_audit: Any = _is_audit_span if signal == "traces" else _is_audit_log

    def run(self) -> Walk:
        received: dict[str, int] = {}
        skipped: dict[str, int] = {}
        for number, group in enumerate(self.request.groups):
            total = sum(len(scope.items) for scope in group.scopes)
            if not total:
                continue
            before = len(self.observations)
            for index in range(len(group.scopes)):
                self._scope(number, index)
            service = shared.service(group.resource)
            received[service] = received.get(service, 0) + total
            passed_over = total - (len(self.observations) - before)
            if passed_over:
                skipped[service] = skipped.get(service, 0) + passed_over
        return Walk(self.observations, received, skipped)

    def _scope(self, number: int, index: int) -> None:
        group = self.request.groups[number]
        scope = group.scopes[index]
        words, rule, kind, reader = self.words, self.rule, self.kind, self.reader
        is_audit, into, found = self.is_audit, self.convert, self.observations
        everything = rule.wants_name(shared.scope_name(scope.scope))
        common: tuple[Shared, Shared] | None = None
        done = 0
        try:
            for done, raw in enumerate(scope.items):  # noqa: B007 (read where it fails)
                item = check(kind, raw)
                # A word of the rule has to stand in the bytes, or no name or key can match it.
                if not (everything or _has_any(words, raw)):
                    continue
                pairs = list(item.attributes)
                keys = [pair.key for pair in pairs]
                if not (everything or rule.wants_any(keys) or is_audit(item, keys, pairs, rule)):
                    continue
                if common is None:
                    common = self._shared(group, scope)
                whole, careful = settle(item, raw)
                if whole is not item:
                    pairs = list(whole.attributes)
                found.append(into(whole, (keys, pairs), careful, reader, *common))
                self._count_shared(*common)
        except MalformedRequest as error:
            where = envelope.path(self.signal, number, index, done)
            raise MalformedRequest(f"{where}: {error}", where) from None

    def _shared(self, group: ResourceGroup, scope: ScopeGroup) -> tuple[Shared, Shared]:
        nesting, above = self.request.nesting, self.request.unknown
        return (
            shared.resource(group.resource, group.schema_url, group.unknown, above, nesting),
            shared.scope(scope.scope, scope.schema_url, scope.unknown, nesting),
        )

    def _count_shared(self, resource: Shared, scope: Shared) -> None:
        self.shared_bytes += len(resource.text) + len(scope.text)
        if self.shared_bytes > SHARED_BYTES:
            raise RequestTooLarge(
                "the records of this request, each with its resource and scope, are over "
                f"{SHARED_BYTES} bytes; send smaller batches or a smaller resource"
            )


def _is_audit_log(item: Any, keys: list[bytes], pairs: list[Any], rule: Rule) -> bool:
    """Whether a log record is audit by its event name: the field, or the attribute of old."""
    if item.event_name and rule.wants_name(item.event_name):
        return True
    return b"event.name" in keys and any(
        key == b"event.name" and rule.wants_name(pair.value.string_value)
        for key, pair in zip(keys, pairs, strict=True)
    )


def _is_audit_span(item: Any, _keys: list[bytes], _pairs: list[Any], rule: Rule) -> bool:
    """Whether a span is audit by its name, or by an event's name or attributes."""
    return rule.wants_name(item.name) or any(
        rule.wants_name(event.name) or rule.wants_any([pair.key for pair in event.attributes])
        for event in item.events
    )


@lru_cache(8)
def literals(*patterns: tuple[str, ...]) -> tuple[bytes, ...]:
    """Texts of which one stands in every key or name that the patterns match; b"" if unknown."""
    words = set()
    for pattern in itertools.chain.from_iterable(patterns):
        plain = re.split(r"[*?]", pattern.partition("[")[0])
        words.add(max(plain, key=len).encode())
    kept = {word for word in words if not any(other in word for other in words - {word})}
    return tuple(sorted(kept))


def _has_any(words: tuple[bytes, ...], raw: bytes) -> bool:
    for word in words:  # noqa: SIM110 (any() costs three times as much)
        if word in raw:
            return True
    return False
