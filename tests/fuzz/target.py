"""One input through everything between a socket and the writer, and the oracle over what comes out.

The first byte of an input chooses signal, encoding and content coding; the rest is the body. What
is decoded has to make entries that a verifier accepts; what is not has to end in an error that
senders are told, and in no other way.
"""

from hashlib import sha3_256
from typing import Any

from audit_receiver.errors import SenderError
from audit_receiver.otlp import codec, status
from audit_receiver.otlp.codec import Limits, Media
from audit_receiver.otlp.envelope import Signal
from audit_receiver.otlp.inflate import CODINGS
from audit_receiver.otlp.rebuild import rebuild
from audit_receiver.otlp.status import Answer
from audit_receiver.otlp.walk import walk
from audit_receiver.record import body, canonical, header, identity
from audit_receiver.record.normalise import Vocabulary, normalise
from audit_receiver.record.select import EVERYTHING

LIMITS = Limits(1 << 20, 10_000)
VOCABULARY = Vocabulary()
SIGNALS: tuple[Signal, ...] = ("traces", "logs")
MEDIA: tuple[Media, ...] = ("protobuf", "json")
ENCODINGS = ("", *CODINGS)
RECEIVED = "2026-01-01T00:00:00.000000000Z"
SALTS = bytes(range(32))


def choice(first: int) -> tuple[Signal, Media, str]:
    """What the first byte of an input chooses."""
    rest, signal = divmod(first, 2)
    rest, media = divmod(rest, 2)
    return SIGNALS[signal], MEDIA[media], ENCODINGS[rest % len(ENCODINGS)]


def first_byte(signal: Signal, media: Media, coding: str = "") -> bytes:
    """The first byte that chooses these."""
    number = ENCODINGS.index(coding) * 4 + MEDIA.index(media) * 2 + SIGNALS.index(signal)
    return bytes([number])


def one(data: bytes) -> str:
    """Try one input: `stored`, `empty` or the answer's code; raises where an oracle fails."""
    if not data:
        return "empty"
    signal, media, coding = choice(data[0])
    try:
        raw = codec.inflate(data[1:], coding, LIMITS)
        assert len(raw) <= LIMITS.max_bytes
        request = codec.decode(signal, raw, media, LIMITS)
        observations = walk(signal, request, EVERYTHING).observations
    except SenderError as error:
        answer = status.answer(error)
        return _answered(answer, media)
    for number, observation in enumerate(observations[:50]):
        _check(observation, number + 1)
    return "stored" if observations else "empty"


def _answered(answer: Answer, media: Media) -> str:
    """What a sender may be told of bytes that cannot be taken."""
    assert answer.http in (400, 413), answer
    assert answer.grpc in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"), answer
    assert len(status.http_error(answer, media)[2]) < 65_536
    return str(answer.http)


def _check(observation: Any, seq: int) -> None:
    """What a verifier would check of the entry that this record becomes."""
    draft = body.encode(normalise(observation, VOCABULARY), b"{}", SALTS)
    tag = identity.tag(b"k" * 32, draft.identity)
    text = header.render(draft, seq, "0" * 64, RECEIVED, tag, (), None)
    fields = header.parse(text)
    raw = draft.body.encode()
    value = canonical.decode(raw)
    assert fields["body"] == sha3_256(raw).hexdigest()
    subject = canonical.encode(value["subject"])
    assert fields["subject"] == sha3_256(subject).hexdigest()
    expected = header.expected(value)
    ours = {"body", "flags", "id", "prev", "received", "seq", "subject", "v"}
    assert {key: fields[key] for key in fields.keys() - ours} == expected
    again = rebuild(observation.kind, value).SerializeToString()
    signal: Signal = "traces" if observation.kind == "span" else "logs"
    request = codec.decode(signal, again, "protobuf", Limits(1 << 24, 20_000))
    [other] = walk(signal, request, EVERYTHING).observations
    second = body.encode(normalise(other, VOCABULARY), b"{}", SALTS)
    assert identity.same_content(second.body, draft.body), "the message does not come back"
