"""AnyValue and attribute lists as canonical values, without loss (DESIGN 3.3).

What the canonical form cannot hold stands as its protobuf bytes: an AnyValue as `{"$otlp"}`, an
attribute list beside its object as `attributes_raw` (base64 of a serialised KeyValueList).
A KeyValue without value reads `{"$otlp": ""}`; `null` is a value that is present and empty.
"""

import base64
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from audit_receiver.errors import MalformedRequest, RequestTooLarge
from audit_receiver.otlp.schema import ArrayValue, KeyValueList
from audit_receiver.otlp.wire import LEN, count_fields
from audit_receiver.record import canonical
from audit_receiver.record.model import Attributes, CanonicalValue

LARGE_BYTES = 1 << 16  # from here on a message's fields are counted before it is parsed
MAX_FIELDS = 200_000  # in one such message; each may cost a parser 60 bytes, and us a microsecond
MAX_VALUES = 4_000_000  # attributes and elements of lists, of the audit items of one request


class ValueReader:
    """Reads the values of one request; `flags` collects what is to be said of a record."""

    __slots__ = ("flags", "left", "nesting")

    def __init__(self, nesting: int = 64) -> None:
        self.flags: set[str] = set()
        self.nesting = nesting
        self.left = MAX_VALUES

    def attributes(self, pairs: Any, careful: bool) -> tuple[Attributes, str | None]:
        """An attribute list as one object, and the whole list in base64 where that falls short.

        Args:
            pairs: repeated KeyValue.
            careful: there may be unknown fields in it.
        """
        listed = list(pairs)
        return self.named([pair.key for pair in listed], listed, careful)

    def named(
        self, keys: list[bytes], pairs: list[Any], careful: bool
    ) -> tuple[Attributes, str | None]:
        """`attributes` where the keys of the pairs were read already."""
        self._count(len(pairs))
        values = self._each(pairs) if careful else self._plain(pairs)
        result: Attributes = dict(zip(canonical.keys(keys, self.flags), values, strict=True))
        repeated = len(result) != len(pairs)
        lossy = careful and self._has_unknown(pairs)
        if not (repeated or lossy):
            return result, None
        if repeated:
            self.flags.add("duplicate_keys")
        if lossy:
            self.flags.add("raw_value")
        whole = KeyValueList(values=pairs).SerializeToString()
        return result, base64.b64encode(whole).decode()

    def _plain(self, pairs: list[Any]) -> list[CanonicalValue]:
        """The values of pairs without unknown fields: nearly all are strings, so all at once."""
        raws = [pair.value.string_value for pair in pairs]
        try:
            # No text has U+0000 in it, or there are more pieces; and none runs into the next.
            found: list[CanonicalValue] = [*b"\0".join(raws).decode().split("\0")]
        except UnicodeDecodeError:
            found = []
        if len(found) != len(raws):
            return self._each(pairs, careful=False)
        if not all(raws):
            for place, raw in enumerate(raws):
                if not raw:  # another type, or an empty string
                    found[place] = self._of_pair(pairs[place], careful=False)
        return found

    def _each(self, pairs: list[Any], careful: bool = True) -> list[CanonicalValue]:
        return [self._of_pair(pair, careful) for pair in pairs]

    def _of_pair(self, pair: Any, careful: bool) -> CanonicalValue:
        if pair.HasField("value"):
            return self.value(pair.value, careful)
        return canonical.raw_value(b"", self.flags)

    def value(self, value: Any, careful: bool, level: int = 1) -> CanonicalValue:
        """One AnyValue that is present, `level` deep."""
        if careful and len(UnknownFieldSet(value)):
            return self._raw(value)
        match value.WhichOneof("value"):
            case None:
                return None
            case "string_value":
                return canonical.of_string(value.string_value, self.flags)
            case "bool_value":
                return value.bool_value
            case "int_value":
                return canonical.of_int(value.int_value)
            case "double_value":
                return canonical.of_double(value.double_value)
            case "bytes_value":
                return canonical.of_bytes(value.bytes_value)
            case "array_value":
                return self._array(value, level + 1)
            case _:
                return self._map(value, level + 1)

    def _array(self, value: Any, level: int) -> CanonicalValue:
        array, careful = self._nested(ArrayValue, value.array_value, level)
        if careful and len(UnknownFieldSet(array)):
            return self._raw(value)
        return [self.value(item, careful, level) for item in array.values]

    def _map(self, value: Any, level: int) -> CanonicalValue:
        pairs, careful = self._nested(KeyValueList, value.kvlist_value, level)
        keys = [pair.key for pair in pairs.values]
        if len(set(keys)) != len(keys):
            return self._raw(value)
        if careful and (len(UnknownFieldSet(pairs)) or self._has_unknown(pairs.values)):
            return self._raw(value)
        result: Attributes = {}
        for pair in pairs.values:
            result[canonical.key(pair.key, self.flags)] = (
                self.value(pair.value, careful, level)
                if pair.HasField("value")
                else canonical.raw_value(b"", self.flags)
            )
        return result

    def _nested(self, kind: Any, raw: bytes, level: int) -> tuple[Any, bool]:
        """Parse the inside of an array or map: it, and whether to look out for unknown fields."""
        if level > self.nesting:
            raise MalformedRequest(f"values nest deeper than {self.nesting} levels")
        message, careful = parse(kind, raw)
        self._count(len(message.values))
        return message, careful

    def _count(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise RequestTooLarge(
                f"the audit records of the request hold more than {MAX_VALUES} attributes and "
                "values; send smaller batches"
            )

    def _raw(self, value: Any) -> CanonicalValue:
        return canonical.raw_value(value.SerializeToString(deterministic=True), self.flags)

    @staticmethod
    def _has_unknown(pairs: Any) -> bool:
        return any(len(UnknownFieldSet(pair)) for pair in pairs)


def parse(kind: Any, raw: bytes) -> tuple[Any, bool]:
    """Parse one message; True if it may hold unknown fields.

    Raises:
        MalformedRequest: it is not protobuf.
        RequestTooLarge: it has more fields than one message may.
    """
    return settle(check(kind, raw), raw)


def settle(message: Any, raw: bytes) -> tuple[Any, bool]:
    """A message just parsed from `raw`, or one like it; True if it may hold unknown fields.

    A serialised size that changes once unknown fields are discarded is the cheapest test there is:
    looking into each part of a record costs three times as much.
    """
    message.DiscardUnknownFields()
    size = message.ByteSize()
    if size == len(raw):
        return message, False
    # Collectors write empty ids out, which makes a difference too: so look again.
    whole = type(message).FromString(raw)
    return whole, whole.ByteSize() != size


def check(kind: Any, raw: bytes) -> Any:
    """Parse one message, after counting what is in it if it is large.

    Raises:
        MalformedRequest, RequestTooLarge: as `parse`.
    """
    if len(raw) > LARGE_BYTES:
        _count(kind, raw)
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise MalformedRequest(f"not a valid {kind.DESCRIPTOR.name} in protobuf") from None


def _count(kind: Any, raw: bytes) -> None:
    """Refuse a message that would unfold: a field of two bytes can cost the parser sixty."""
    nested = tuple(
        field.number << 3 | LEN
        for field in kind.DESCRIPTOR.fields
        if field.is_repeated and field.message_type and field.message_type.name != "KeyValue"
    )
    try:
        total = count_fields(raw, nested, MAX_FIELDS)
    except IndexError:
        raise MalformedRequest(f"a {kind.DESCRIPTOR.name} ends in the middle of a field") from None
    if total > MAX_FIELDS:
        raise RequestTooLarge(f"one {kind.DESCRIPTOR.name} has more than {MAX_FIELDS} fields")
