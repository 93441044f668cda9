"""A record as an application states it, and as the request that carries it."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit_receiver.otlp import codec
from audit_receiver.otlp.codec import Limits
from audit_receiver.otlp.schema import ArrayValue, ExportLogsServiceRequest, KeyValueList
from audit_receiver.otlp.walk import walk
from audit_receiver.record import integrity
from audit_receiver.record.select import EVERYTHING

_LIMITS = Limits(1 << 30, 1_000_000)

Value = Any  # str, bool, int, float, bytes, None, lists and maps of them


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what to what, from where, with which result (OTEP 0267, data model).

    `record_id` and `time_unix_nano` are made where they are not given; the id makes sending again
    harmless.
    """

    event_name: str  # stable, dot-separated: user.login.success
    actor: str
    action: str  # a verb in capitals: LOGIN, UPDATE
    outcome: str  # success, failure, unknown
    actor_type: str = "user"  # user, service, system
    target: str = ""
    target_type: str = ""
    source: str = ""
    source_type: str = ""
    body: Value = None  # what does not fit elsewhere; None for no body
    attributes: Mapping[str, Value] = field(default_factory=dict)  # further ones
    record_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time_unix_nano: int = field(default_factory=time.time_ns)
    # Part of what is hashed: a record that is emitted again has to be the same record.
    observed_unix_nano: int = field(default_factory=time.time_ns)

    def all_attributes(self) -> dict[str, Value]:
        """The attributes of the draft with the further ones."""
        named = {
            "audit.record.id": self.record_id,
            "audit.actor.id": self.actor,
            "audit.actor.type": self.actor_type,
            "audit.action": self.action,
            "audit.outcome": self.outcome,
        }
        optional = {
            "audit.target.id": self.target,
            "audit.target.type": self.target_type,
            "audit.source.id": self.source,
            "audit.source.type": self.source_type,
        }
        named.update({name: text for name, text in optional.items() if text})
        if taken := named.keys() & self.attributes.keys():
            raise ValueError(f"{', '.join(sorted(taken))}: give it as an argument of its own")
        return {**named, **self.attributes}


def encode(records: Sequence[AuditRecord], resource: Mapping[str, Value]) -> bytes:
    """An ExportLogsServiceRequest; its scope is left empty, as the draft asks."""
    request = ExportLogsServiceRequest()
    outer = request.resource_logs.add()
    _add(outer.resource.attributes, resource)
    logs = outer.scope_logs.add().log_records
    for record in records:
        log = logs.add()
        log.time_unix_nano = record.time_unix_nano
        log.observed_time_unix_nano = record.observed_unix_nano
        log.event_name = record.event_name.encode()
        if record.body is not None:
            _set(log.body, record.body)
        _add(log.attributes, record.all_attributes())
    data: bytes = request.SerializeToString()
    return data


def hashes(request: bytes) -> list[str]:
    """The integrity hash of each record of a request, as the sink has to find it."""
    opened = codec.decode("logs", request, "protobuf", _LIMITS)
    observations = walk("logs", opened, EVERYTHING).observations
    return [
        integrity.digest({"attributes": one.attributes, "otlp": one.otlp}) for one in observations
    ]


def _add(attributes: Any, given: Mapping[str, Value]) -> None:
    for key, value in given.items():
        pair = attributes.add()
        pair.key = key.encode()
        pair.value.SetInParent()
        _set(pair.value, value)


def _set(target: Any, value: Value) -> None:
    """Put a Python value into an AnyValue."""
    match value:
        case None:
            target.SetInParent()
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value.encode("utf-8", "surrogatepass")
        case bytes():
            target.bytes_value = value
        case Mapping():
            inner = KeyValueList()
            _add(inner.values, value)
            target.kvlist_value = inner.SerializeToString()
        case list() | tuple():
            array = ArrayValue()
            for item in value:
                _set(array.values.add(), item)
            target.array_value = array.SerializeToString()
        case _:
            raise TypeError(f"a record cannot hold {type(value).__name__}")
