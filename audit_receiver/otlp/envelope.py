"""An export request opened: which resources, which scopes, and each item's own bytes.

Only the envelopes are read here, and by hand. So every item is parsed alone (a request of millions
of empty messages never stands in memory at once), an item that holds nothing audit is passed over
cheaply, and what the protocol does not know is seen where it lies.
Both encodings end in this form: `json_decoder` makes the same items out of OTLP/JSON.
"""

from typing import Literal, NamedTuple

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp.wire import skip, varint

Signal = Literal["traces", "logs"]

_FIRST = 0x0A  # field 1: resource or scope
_INNER = 0x12  # field 2: the scopes of a resource, the items of a scope
_SCHEMA_URL = 0x1A  # field 3
# Field 1000: where senders before OTLP 0.15 put their scopes. Read like field 2 (checklist A11).
# Should both be there, both are taken: leaving one out could lose a record, repeats are found.
_DEPRECATED_SCOPES = 1000 << 3 | 2

_NAMES = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}


class ScopeGroup(NamedTuple):
    """A ScopeSpans or ScopeLogs."""

    scope: bytes  # the InstrumentationScope, b"" if there is none
    schema_url: bytes
    unknown: bytes  # fields of the envelope itself that the protocol does not know
    items: list[bytes]  # Span or LogRecord, each as it came


class ResourceGroup(NamedTuple):
    """A ResourceSpans or ResourceLogs."""

    resource: bytes  # b"" if there is none
    schema_url: bytes
    unknown: bytes
    scopes: list[ScopeGroup]


class Request(NamedTuple):
    """An ExportTraceServiceRequest or ExportLogsServiceRequest, opened down to its items."""

    signal: Signal
    groups: list[ResourceGroup]
    unknown: bytes
    nesting: int  # how deep AnyValues may nest in it
    ignored_members: int  # OTLP/JSON members that the protocol does not know


class Allowance:
    """How many envelopes, items and unknown fields a request may still hold."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit

    def take(self, amount: int) -> None:
        """Raises RequestTooLarge where nothing is left."""
        self.left -= amount
        if self.left < 0:
            raise self.exceeded()

    def exceeded(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"the request holds more than {self.limit} spans, log records and envelopes; "
            "send smaller batches or raise receivers.otlp.limits.items"
        )


def path(signal: Signal, group: int, scope: int, item: int) -> str:
    """The name of one item in messages to people: `resource_spans[0].scope_spans[1].spans[2]`."""
    outer, middle, inner = _NAMES[signal]
    return f"{outer}[{group}].{middle}[{scope}].{inner}[{item}]"


def open_request(signal: Signal, data: bytes, item_limit: int, nesting: int) -> Request:
    """Open an export request in protobuf.

    Raises:
        MalformedRequest: the envelopes are not protobuf; `field` names the place.
        RequestTooLarge: more than `item_limit` items and envelopes.
    """
    outer, middle, _ = _NAMES[signal]
    allowance = Allowance(item_limit)
    where = "the request"
    try:
        _, _, parts, unknown = _split(data, _FIRST, allowance)
        groups = []
        for number, top in enumerate(parts):
            where = f"{outer}[{number}]"
            resource, schema_url, inner, more = _split(top, _INNER, allowance, _DEPRECATED_SCOPES)
            scopes = []
            for index, part in enumerate(inner):
                where = f"{outer}[{number}].{middle}[{index}]"
                scope, url, items, rest = _split(part, _INNER, allowance)
                scopes.append(ScopeGroup(scope, url, rest, items))
            groups.append(ResourceGroup(resource, schema_url, more, scopes))
    except IndexError:
        raise MalformedRequest(f"{where} ends in the middle of a field", where) from None
    except MalformedRequest as error:
        raise MalformedRequest(f"{where}: {error}", where) from None
    return Request(signal, groups, unknown, nesting, 0)


def _split(
    data: bytes, inner_tag: int, allowance: Allowance, also: int = 0
) -> tuple[bytes, bytes, list[bytes], bytes]:
    """Take an envelope apart: field 1, schema_url, the inner messages, what is unknown."""
    first: list[bytes] = []
    schema_url = b""
    inner: list[bytes] = []
    unknown: list[bytes] = []
    left = allowance.left
    position, end = 0, len(data)
    while position < end:
        left -= 1
        if left < 0:
            raise allowance.exceeded()
        if data[position] == inner_tag:  # nearly always, so done here and not by `skip`
            size = data[position + 1]
            start = position + 2
            if size >= 0x80:
                size, start = varint(data, position + 1)
            position = start + size
            if position > end:
                raise IndexError(position)
            inner.append(data[start:position])
            continue
        tag, start, after = skip(data, position, end)
        if tag == also:
            inner.append(data[start:after])
        elif tag == _FIRST and inner_tag != _FIRST:
            first.append(data[start:after])  # given twice, protobuf merges: the bytes in a row
        elif tag == _SCHEMA_URL and inner_tag != _FIRST:
            schema_url = data[start:after]
        else:
            unknown.append(data[position:after])
        position = after
    allowance.left = left
    return b"".join(first), schema_url, inner, b"".join(unknown)
