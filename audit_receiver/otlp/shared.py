"""Resource and InstrumentationScope: converted once for all the records that share them.

The same ones come with every request of a sender, so what was made of them is remembered.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from audit_receiver.otlp.anyvalue import ValueReader, parse
from audit_receiver.otlp.parts import (
    Object,
    add_attributes,
    add_dropped,
    add_unknown,
    base64_text,
)
from audit_receiver.otlp.schema import InstrumentationScope, Resource
from audit_receiver.record import aliases, canonical
from audit_receiver.record.header import resource_text
from audit_receiver.record.model import Attributes, Shared

P = ParamSpec("P")
T = TypeVar("T")

_REMEMBERED = 256
_MOST_BYTES = 1 << 14  # what is larger is not remembered, so that the memory stays small
_SERVICE = frozenset(name.encode() for name in aliases.SERVICE)


def _remembered(function: Callable[P, T]) -> Callable[P, T]:
    """The function with a bounded memory of small arguments."""
    remembering: Callable[P, T] = lru_cache(_REMEMBERED)(function)  # type: ignore[assignment]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        size = 0
        for part in args:
            if isinstance(part, bytes):
                size += len(part)
        return (function if size > _MOST_BYTES else remembering)(*args, **kwargs)

    return call


@_remembered
def resource(raw: bytes, schema_url: bytes, unknown: bytes, above: bytes, nesting: int) -> Shared:
    """A resource with its envelope: schema URL, and what is unknown beside it and above it.

    Args:
        raw: the Resource.
        schema_url: of the ResourceSpans or ResourceLogs.
        unknown: fields of the ResourceSpans or ResourceLogs that the protocol does not know.
        above: such fields of the whole request.
        nesting: how deep values may nest.
    """
    reader = ValueReader(nesting)
    flags = reader.flags
    item, careful = parse(Resource, raw)
    attributes, attributes_raw = reader.attributes(item.attributes, careful)
    result: Object = {"attributes": attributes}
    if attributes_raw is not None:
        result["attributes_raw"] = attributes_raw
    add_dropped(result, "dropped_attributes_count", item.dropped_attributes_count, flags)
    if item.entity_refs:
        result["entity_refs"] = [_entity_ref(ref, careful, flags) for ref in item.entity_refs]
    if above:
        result["request_unknown"] = base64_text(above)
    return _shared(result, item, careful, schema_url, unknown, attributes, flags)


@_remembered
def scope(raw: bytes, schema_url: bytes, unknown: bytes, nesting: int) -> Shared:
    """An instrumentation scope with its envelope, as `resource`."""
    reader = ValueReader(nesting)
    flags = reader.flags
    item, careful = parse(InstrumentationScope, raw)
    result: Object = {}
    if item.name:
        result["name"] = canonical.of_string(item.name, flags)
    if item.version:
        result["version"] = canonical.of_string(item.version, flags)
    attributes = add_attributes(result, item, careful, reader)
    add_dropped(result, "dropped_attributes_count", item.dropped_attributes_count, flags)
    return _shared(result, item, careful, schema_url, unknown, attributes, flags)


@_remembered
def service(raw: bytes) -> str:
    """The service.name of a resource as text, "" if there is none."""
    item, careful = parse(Resource, raw)
    wanted = [pair for pair in item.attributes if pair.key in _SERVICE]
    return resource_text(ValueReader().attributes(wanted, careful)[0], aliases.SERVICE)[0]


@_remembered
def scope_name(raw: bytes) -> bytes:
    """The name of an instrumentation scope as it came."""
    name: bytes = parse(InstrumentationScope, raw)[0].name
    return name


def _shared(
    result: Object,
    item: Any,
    careful: bool,
    schema_url: bytes,
    unknown: bytes,
    attributes: Attributes,
    flags: set[str],
) -> Shared:
    if schema_url:
        result["schema_url"] = canonical.of_string(schema_url, flags)
    if careful:
        add_unknown(result, item)
    if unknown:
        result["envelope_unknown"] = base64_text(unknown)
    return Shared(result, canonical.encode(result).decode(), attributes, frozenset(flags))


def _entity_ref(item: Any, careful: bool, flags: set[str]) -> Object:
    result: Object = {}
    for name in ("schema_url", "type"):
        if text := getattr(item, name):
            result[name] = canonical.of_string(text, flags)
    for name in ("id_keys", "description_keys"):
        if keys := getattr(item, name):
            result[name] = [canonical.of_string(key, flags) for key in keys]
    if careful:
        add_unknown(result, item)
    return result
