"""Requests whose every record is new: built once with the real messages, then patched in place.

A record is the article's span (an enduser who changes somebody's role). Its trace id, span id,
start and end have a fixed length in protobuf, so that they can be overwritten where they stand.
"""

import os
import random
import struct
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

VARIANTS = 64  # different actors and targets among the prepared requests
_FIXED64 = struct.Struct("<Q")
_ROLES = ("viewer", "editor", "auditor", "admin", "owner")


class _Spot(NamedTuple):
    """Where one record's changing bytes stand."""

    trace_id: int
    span_id: int
    start: int
    end: int


class Template:
    """One prepared request of `records` spans; `fresh` gives it new ids and times."""

    def __init__(self, records: int, audit: bool, seed: int) -> None:
        rng = random.Random(seed)
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(
            _attributes(
                {
                    "service.name": "audit-service",
                    "service.version": "2.14.0",
                    "deployment.environment.name": "production",
                    "host.name": "web-07",
                }
            )
        )
        scope = resource.scope_spans.add()
        scope.scope.name = "billing.roles"
        marks = []
        for _ in range(records):
            span = scope.spans.add()
            mark = rng.randbytes(16), rng.randbytes(8), rng.randbytes(8), rng.randbytes(8)
            marks.append(mark)
            span.trace_id, span.span_id = mark[0], mark[1]
            span.start_time_unix_nano = _FIXED64.unpack(mark[2])[0]
            span.end_time_unix_nano = _FIXED64.unpack(mark[3])[0]
            span.kind = span.SPAN_KIND_SERVER
            span.name = "user.role.update" if audit else "GET /users/{id}"
            span.attributes.extend(_attributes(_article(rng) if audit else _plain(rng)))
        self.records = records
        self._buffer = bytearray(request.SerializeToString())
        self._spots = [_Spot(*map(self._buffer.index, mark)) for mark in marks]

    def fresh(self, unix_nano: int) -> bytes:
        """The request with new random ids, the first span starting at `unix_nano`."""
        buffer = self._buffer
        ids = os.urandom(24 * self.records)
        pack = _FIXED64.pack_into
        at = 0
        for spot in self._spots:
            buffer[spot.trace_id : spot.trace_id + 16] = ids[at : at + 16]
            buffer[spot.span_id : spot.span_id + 8] = ids[at + 16 : at + 24]
            pack(buffer, spot.start, unix_nano)
            pack(buffer, spot.end, unix_nano + 1_250_000)
            at += 24
            unix_nano += 1_000
        return bytes(buffer)


def templates(records: int, audit: bool = True) -> list[Template]:
    """Prepared requests, enough of them that actors and targets vary."""
    return [Template(records, audit, seed) for seed in range(max(2, VARIANTS // records))]


def _article(rng: random.Random) -> dict[str, str]:
    return {
        "enduser.id": f"user-{rng.randrange(2000):05}",
        "enduser.role": "admin",
        "enduser.ip": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "audit.action": "role_update",
        "audit.target_user": f"user-{rng.randrange(20000):05}",
        "audit.old_value": rng.choice(_ROLES),
        "audit.new_value": rng.choice(_ROLES),
        "audit.resource_type": "user_permission",
        "audit.result": "success",
    }


def _plain(rng: random.Random) -> dict[str, str]:
    return {
        "http.request.method": "GET",
        "url.path": f"/users/{rng.randrange(20000)}",
        "url.scheme": "https",
        "server.address": "api.example.com",
        "client.address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
        "network.protocol.version": "1.1",
        "http.response.status_code": "200",
        "http.route": "/users/{id}",
    }


def _attributes(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in values.items()]
