"""The body: everything that a record says, as one canonical text (DESIGN 3.4)."""

from hashlib import sha3_256

from audit_receiver.record import canonical, fields, header, identity, integrity
from audit_receiver.record.model import AuditRecord, Draft, Observation, Sequenced

SALT_BYTES = 16
SALTS_BYTES = 2 * SALT_BYTES  # one for the body, one for the subject
NOTHING = b"{}"


def encode(record: AuditRecord, peer: bytes, salts: bytes) -> Draft:
    """Render a record's body and all of its header that does not depend on its place.

    `peer` is the canonical text of the `peer` object, b"{}" if there is nothing to say; `salts` are
    32 fresh random bytes. The members are joined in the order of their names; what the sender said
    (`identity.CONTENT`) is kept apart for the identity of a record that has none of its own.
    """
    observation, audit = record.observation, record.audit
    kind, otlp, raw = observation.kind, observation.otlp, observation.attributes_raw
    subject = canonical.encode_strings({**record.subject, "salt": salts[SALT_BYTES:].hex()})
    first = b'{"attributes":' + canonical.encode(observation.attributes)
    if raw is not None:
        first += b',"attributes_raw":"' + raw.encode() + b'"'
    second = b',"kind":"' + kind.encode() + b'","otlp":' + canonical.encode(otlp)
    resource = b',"resource":' + observation.resource.text.encode()
    scope = b',"scope":' + observation.scope.text.encode()
    text = b"".join(
        (
            first,
            b',"audit":',
            canonical.encode_strings(audit),
            second,
            b"" if peer == NOTHING else b',"peer":' + peer,
            b',"redacted":' + canonical.encode_strings(observation.redacted)
            if observation.redacted
            else b"",
            resource,
            b',"salt":"',
            salts[:SALT_BYTES].hex().encode(),
            b'"',
            scope,
            b',"subject":',
            subject,
            b"}",
        )
    )
    own_identity = True
    if record_id := audit.get("record_id"):
        named = identity.of_record(record.service, record_id)
    elif kind == "span" and observation.trace_id and observation.span_id:
        named = identity.of_span(record.service, observation.trace_id, observation.span_id)
    else:
        own_identity = False
        named = identity.of_content(b"".join((first, second, resource, scope, b"}")))
    found = fields.of_record(
        kind, audit, otlp, observation.attributes, observation.resource.attributes
    )
    time, flags = fields.time_of(kind, otlp), record.flags
    if withheld := found[-1]:
        flags = flags.union([f"withheld_{key}" for key in withheld])
    hashes = sha3_256(text).hexdigest(), sha3_256(subject).hexdigest()
    return Draft(
        text.decode(),
        kind,
        record.service,
        time,
        observation.time_unix_nano,
        named,
        own_identity,
        found[0],
        found[4],
        flags,
        header.fixed(kind, *hashes, time, found),
        _sequence(observation),
        observation.integrity_hash,
    )


def _sequence(observation: Observation) -> Sequenced | None:
    """Where the producer says that it stands, as it came and not as it may be recorded."""
    if observation.integrity_hash:
        return observation.sequence
    return integrity.sequence(observation) if integrity.NUMBER in observation.attributes else None
