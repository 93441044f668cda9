"""A body back to the OTLP message that it came from: what shows that nothing was lost.

All comes back but the order of attributes and the presence of what is empty (see `convert`).
"""

import base64
import struct
from typing import Any

from audit_receiver.otlp import schema
from audit_receiver.record import timestamp

Object = dict[str, Any]

_TIMES = {
    "start": "start_time_unix_nano",
    "end": "end_time_unix_nano",
    "time": "time_unix_nano",
    "observed_time": "observed_time_unix_nano",
}
_IDS = {"trace_id", "span_id", "parent_span_id"}
_PARTS = {"events", "links", "entity_refs"}


def rebuild(kind: str, body: Object) -> Any:
    """The export request that holds the record of this body alone.

    Args:
        kind: "span" or "log", as in the body.
        body: a parsed body, its values in canonical form.

    Returns:
        An ExportTraceServiceRequest or ExportLogsServiceRequest of `otlp.schema`, whose bytes any
        implementation of OTLP reads.
    """
    resource, scope = dict(body["resource"]), dict(body.get("scope", {}))
    record = dict(body["otlp"])
    for name in ("attributes", "attributes_raw"):
        if name in body:
            record[name] = body[name]
    request: Any
    if kind == "span":
        request = schema.ExportTraceServiceRequest()
        outer = request.resource_spans.add()
        inner = outer.scope_spans.add()
        item = inner.spans.add()
    else:
        request = schema.ExportLogsServiceRequest()
        outer = request.resource_logs.add()
        inner = outer.scope_logs.add()
        item = inner.log_records.add()
    _add_unknown(request, resource.pop("request_unknown", ""))
    _envelope(outer, outer.resource, resource)
    _envelope(inner, inner.scope, scope)
    _fill(item, record)
    return request


def _envelope(envelope: Any, message: Any, content: Object) -> None:
    """Share an object out between a resource or scope and the message around it."""
    if schema_url := content.pop("schema_url", ""):
        envelope.schema_url = text_bytes(schema_url)
    _add_unknown(envelope, content.pop("envelope_unknown", ""))
    _fill(message, content)


def _fill(message: Any, content: Object) -> None:
    for name, value in content.items():
        if name == "attributes":
            if "attributes_raw" not in content:
                _pairs(message.attributes, value)
        elif name == "attributes_raw":
            whole = schema.KeyValueList.FromString(base64.b64decode(value))
            message.attributes.extend(whole.values)
        elif name == "unknown":
            _add_unknown(message, value)
        elif name == "body":
            message.body.CopyFrom(any_value(value))
        elif name == "status":
            _fill(message.status, value)
        elif name in _PARTS:
            for part in value:
                _fill(getattr(message, name).add(), part)
        elif name in _IDS:
            setattr(message, name, bytes.fromhex(value))
        elif name in _TIMES:
            setattr(message, _TIMES[name], timestamp.parse(value))
        elif name in ("id_keys", "description_keys"):
            getattr(message, name).extend(text_bytes(key) for key in value)
        else:
            setattr(message, name, value if isinstance(value, int) else text_bytes(value))


def any_value(value: Any) -> Any:
    """An AnyValue from its canonical value."""
    result = schema.AnyValue()
    match value:
        case None:
            pass
        case bool():
            result.bool_value = value
        case int():
            result.int_value = value
        case float():
            result.double_value = value
        case str():
            result.string_value = value.encode()
        case list():
            array = schema.ArrayValue(values=[any_value(item) for item in value])
            result.array_value = array.SerializeToString()
        case {"$int": digits}:
            result.int_value = int(digits)
        case {"$double": form}:
            result.double_value = _double(form)
        case {"$bytes": text}:
            result.bytes_value = base64.b64decode(text)
        case {"$utf8": text}:
            result.string_value = base64.b64decode(text)
        case {"$otlp": text}:
            result.MergeFromString(base64.b64decode(text))
        case _:
            pairs = schema.KeyValueList()
            _pairs(pairs.values, value)
            result.kvlist_value = pairs.SerializeToString()
    return result


def _pairs(target: Any, content: Object) -> None:
    for name, value in content.items():
        pair = target.add(key=key_bytes(name))
        if value != {"$otlp": ""}:  # that is a KeyValue without value
            pair.value.CopyFrom(any_value(value))


def key_bytes(name: str) -> bytes:
    """A key from its canonical form."""
    if name.startswith("$utf8:"):
        return base64.b64decode(name.removeprefix("$utf8:"))
    return name.removeprefix("$").encode()


def text_bytes(value: Any) -> bytes:
    """A string field from its canonical value."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["$utf8"])


def _double(form: str) -> float:
    if form.startswith("NaN:"):
        bits: float = struct.unpack(">d", bytes.fromhex(form.removeprefix("NaN:")))[0]
        return bits
    return float(form)


def _add_unknown(message: Any, text: str) -> None:
    if text:
        message.MergeFromString(base64.b64decode(text))
