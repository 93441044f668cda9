"""One entry by itself, slowly and in words: hashes, canonical form, header against body.

`Judge.judge` is only asked about entries that the quick way did not let pass, and about the
receiver's own records.
"""

from hashlib import sha3_256
from typing import Any, NamedTuple

import orjson

from audit_receiver.record import canonical, header, heading
from audit_receiver.verify.findings import Findings, Kind

_OURS = frozenset(("body", "flags", "id", "prev", "received", "seq", "subject", "v"))
_EXPECTED_BODY = "a body as the format document describes it"


class Header(NamedTuple):
    """What can be read of a header; only `seq`, `prev` and `body` of a later format."""

    fields: dict[str, Any]
    known: bool  # whether it is of a format that this program knows


class Judge:
    """Judges entries and reports what is wrong with each of them."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._seq = 0
        self._faults = 0

    @property
    def is_faulty(self) -> bool:
        """Whether something was reported of the entry that was judged last."""
        return self._faults > 0

    def begin(self, seq: int) -> None:
        """Turn to the next entry."""
        self._seq, self._faults = seq, 0

    def header(self, text: Any, stored: Any) -> Header | None:
        """Check a header by itself; None if nothing in it can be relied on."""
        if type(text) is not str:
            self._say("altered", "the header is not text", "text", _name(text))
            return None
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            self._say("altered", "the header is not UTF-8", "UTF-8", repr(text[:80]))
            return None
        computed = sha3_256(raw).digest()
        if computed != stored:
            self._say(
                "altered",
                "the header does not have the hash that is stored for it",
                stored.hex() if type(stored) is bytes else _name(stored),
                computed.hex(),
            )
        try:
            return Header(heading.parse(text), True)
        except heading.NewerVersion:
            return self._newer(text)
        except canonical.NotCanonical as exc:
            message = f"the header is not in its one form: {exc.reason}"
            self._say("canonical", message, "a header of format 1", str(exc))
            return None

    def body(self, fields: dict[str, Any], body: Any, known: bool) -> dict[str, Any] | None:
        """Check a body against its header; returns its value if it is the one that was hashed."""
        if type(body) is not str:
            self._say("altered", "the body is not text", "text", _name(body))
            return None
        raw = body.encode("utf-8", "surrogatepass")
        digest = sha3_256(raw).hexdigest()
        if digest != fields["body"]:
            message = "the body does not have the hash that the header states"
            self._say("altered", message, fields["body"], digest)
        if not known:
            return None
        try:
            value = canonical.decode(raw)
            expected = header.expected(value)
            subject = None
            if fields["kind"] != "ledger":
                subject = sha3_256(canonical.encode(value["subject"])).hexdigest()
        except canonical.NotCanonical as exc:
            self._say("canonical", f"the body is not in its one form: {exc.reason}", "", str(exc))
            return None
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as exc:
            message = "the body does not have the parts that its kind has"
            self._say("canonical", message, _EXPECTED_BODY, repr(exc))
            return None
        if subject is not None and subject != fields["subject"]:
            message = "the body's subject does not have the hash that the header states"
            self._say("altered", message, fields["subject"], subject)
        self._compare(fields, expected)
        return value if type(value) is dict and digest == fields["body"] else None

    def _compare(self, fields: dict[str, Any], expected: dict[str, Any]) -> None:
        """The header fields that the body decides, and no further ones."""
        for name in sorted(expected.keys() | (fields.keys() - _OURS)):
            if fields.get(name) != expected.get(name):
                self._say(
                    "altered",
                    f"the header's `{name}` is not what the body says",
                    _value(expected.get(name)),
                    _value(fields.get(name)),
                )

    def _newer(self, text: str) -> Header | None:
        """The members that keep their meaning in every later format (DESIGN 3.8)."""
        fields = orjson.loads(text)
        types = {"seq": int, "prev": str, "body": str}
        if all(type(fields.get(name)) is kind for name, kind in types.items()):
            return Header(fields, False)
        self._say("canonical", "a header of a later format has no seq, prev or body", "", text)
        return None

    def _say(self, kind: Kind, message: str, expected: str, found: str) -> None:
        self._faults += 1
        self._findings.add(kind, self._seq, self._seq, message, expected, found)


def _name(value: Any) -> str:
    names = {bytes: "a blob or text that is not UTF-8", type(None): "NULL"}
    return names.get(type(value), type(value).__name__)


def _value(value: Any) -> str:
    return "nothing" if value is None else repr(value)
