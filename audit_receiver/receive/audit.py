"""The audit signal's own endpoint, as OpenTelemetry's draft has it (OTEP 0267).

A request is stored whole or not at all, each record once under its `audit.record.id`; the answer
has a receipt for each record.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Literal, Protocol

from audit_receiver.errors import MalformedRequest
from audit_receiver.ledger.appender import Kept
from audit_receiver.otlp.codec import Media
from audit_receiver.otlp.envelope import Signal
from audit_receiver.record.mandatory import lacking
from audit_receiver.record.model import Observation
from audit_receiver.v1.audit_pb2 import AuditResponse, RecordReceipt
from audit_receiver.v1.receipt_pb2 import Receipt

PATH = "/v1/audit"
METHOD = "/audit_receiver.v1.AuditService/Export"
Way = Literal["traces", "logs", "audit"]  # how a request came; one of the last is made of logs
STORED = "delivered_all_sinks"  # of the draft's domain status values
MOST_ANSWER_BYTES = 60_000  # a Collector reads 64 KiB


class Stored(Protocol):
    """What became of a request, as the intake tells it."""

    @property
    def receipt(self) -> bytes:
        """audit_receiver.v1.Receipt."""

    @property
    def names(self) -> Sequence[str]:
        """The record ids, in the order of the request."""

    @property
    def verdicts(self) -> Sequence[str]:
        """What became of each signature: passed, deferred, "" without one; empty without keys."""

    @property
    def kept(self) -> Sequence[Kept]:
        """Where each of them stands."""


def signal_of(way: Way) -> Signal:
    """What a request is made of."""
    return "logs" if way == "audit" else way


def taken(observations: Sequence[Observation]) -> list[Observation]:
    """The records of a request as kind `audit`.

    Raises MalformedRequest naming the first one that lacks what the draft asks for.
    """
    for number, observation in enumerate(observations):
        if lack := lacking(observation):
            where = f"log_records[{number}]"
            raise MalformedRequest(f"{where}: {lack} (the audit draft requires it)", where)
    return [observation._replace(kind="audit") for observation in observations]


def record_ids(observations: Sequence[Observation]) -> tuple[str, ...]:
    """The `audit.record.id` of each record, as it came."""
    return tuple(observation.attributes["audit.record.id"] for observation in observations)


def answer(media: Media, outcome: Stored) -> bytes:
    """The body of a success: a receipt for each record, unless that would be too large."""
    response = AuditResponse(
        batch_id=str(uuid.uuid4()),
        status=STORED,
        records=[
            RecordReceipt(
                record_id=name,
                status=STORED,
                integrity_hash=bytes.fromhex(one.integrity_hash),
                sink_timestamp=one.received_unix_nano,
                seq=one.seq,
                duplicate=not one.is_new,
                verify_status=verdict,
            )
            for name, one, verdict in zip(
                outcome.names,
                outcome.kept,
                outcome.verdicts or [""] * len(outcome.kept),
                strict=True,
            )
        ],
        receipt=Receipt.FromString(outcome.receipt),
    )
    data = _render(response, media)
    if len(data) > MOST_ANSWER_BYTES:
        del response.records[:]
        response.records_left_out = True
        data = _render(response, media)
    return data


def _render(response: AuditResponse, media: Media) -> bytes:
    if media == "protobuf":
        data: bytes = response.SerializeToString()
        return data
    receipt = response.receipt
    told = {
        "batch_id": response.batch_id,
        "status": response.status,
        "record_status_map": {
            one.record_id: {
                "record_id": one.record_id,
                "status": one.status,
                "integrity_hash": one.integrity_hash.hex(),
                "sink_timestamp": str(one.sink_timestamp),  # OTLP/JSON: 64 bits are text
                "seq": one.seq,
                "duplicate": one.duplicate,
                **({"verify_status": one.verify_status} if one.verify_status else {}),
            }
            for one in response.records
        },
        "records_left_out": response.records_left_out,
        "receipt": {
            "origin": receipt.origin,
            "tree_size": receipt.tree_size,
            "root": receipt.root.hex(),
            "signature": receipt.signature.hex(),
            "key_id": receipt.key_id,
        },
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
