"""The body: everything that a record says, as one canonical text (DESIGN 3.4)."""

from hashlib import sha3_256

from audit_receiver.record import canonical, header, identity, timestamp
from audit_receiver.record.model import AuditRecord, Draft

SALT_BYTES = 16
SALTS_BYTES = 2 * SALT_BYTES  # one for the body, one for the subject


def encode(record: AuditRecord, peer: bytes, salts: bytes) -> Draft:
    """Render a record's body and all of its header that does not depend on its place.

    `peer` is the canonical text of the `peer` object, b"{}" if there is nothing to say;
    `salts` are 32 fresh random bytes.
    """
    observation, audit = record.observation, record.audit
    kind = observation.kind
    attributes = canonical.encode(observation.attributes)
    otlp = canonical.encode(observation.otlp)
    subject = canonical.encode({**record.subject, "salt": salts[SALT_BYTES:].hex()})
    raw = observation.attributes_raw
    said = b'{"attributes":' + attributes
    if raw is not None:
        said += b',"attributes_raw":"' + raw.encode() + b'"'
    what = b',"kind":"' + kind.encode() + b'","otlp":' + otlp
    resource = b',"resource":' + observation.resource.text.encode()
    scope = b',"scope":' + observation.scope.text.encode()
    text = b"".join(
        (
            said,
            b',"audit":',
            canonical.encode(audit),
            what,
            b',"peer":' + peer if peer != b"{}" else b"",
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
        named = identity.of_content(b"".join((said, what, resource, scope, b"}")))
    nano = observation.time_unix_nano
    time = timestamp.render(nano) if nano else None
    found = header.fields(
        kind, audit, observation.otlp, observation.attributes, observation.resource.attributes
    )
    flags = record.flags
    if found.withheld:
        flags = flags.union(f"withheld_{name}" for name in found.withheld)
    return Draft(
        text.decode(),
        kind,
        record.service,
        time,
        nano,
        named,
        own_identity,
        found.action,
        found.outcome,
        flags,
        header.pieces(sha3_256(text).hexdigest(), sha3_256(subject).hexdigest(), kind, time, found),
    )
