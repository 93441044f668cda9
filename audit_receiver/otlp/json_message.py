"""Members of JSON objects into the fields of protobuf messages, by tables; AnyValue among them.

A table has one entry for each name that a member may have. Scalars have a function of
`json_fields`; everything else is a `Part`.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from audit_receiver.otlp import json_fields as fields
from audit_receiver.otlp import schema
from audit_receiver.otlp.envelope import Allowance
from audit_receiver.otlp.json_fields import WrongValue
from audit_receiver.otlp.json_text import string_bytes
from audit_receiver.otlp.wire import encode_varint


class Part(NamedTuple):
    """How to read a member that is not a scalar: read(filler, message, field, value, level)."""

    read: Callable[["Filler", Any, str, Any, int], None]


_Entry = tuple[str, Callable[[Any], Any] | None, Callable[..., None] | None]
Table = dict[str, _Entry]


class Filler:
    """One decoding: how much may still come, and how many members were ignored."""

    def __init__(self, allowance: Allowance, nesting: int) -> None:
        self.allowance = allowance
        self.nesting = nesting
        self.ignored = 0

    def fill(self, message: Any, table: Table, tree: Any, level: int = 1) -> None:
        """Set the fields of a message from the members of an object; null is absent.

        Args:
            message: what gets the fields.
            table: of its members.
            tree: the object, or null for one without members.
            level: how deep an AnyValue in it stands.
        """
        for name, value in _members(tree):
            entry = table.get(name)
            if entry is None:
                self.ignored += 1
            elif value is not None:
                field, scalar, read = entry
                try:
                    if scalar is not None:
                        setattr(message, field, scalar(value))
                    elif read is not None:
                        read(self, message, field, value, level)
                except WrongValue as wrong:
                    wrong.path.append(f".{name}")
                    raise

    def each(self, value: Any, read: Callable[[Any], None]) -> None:
        """Read the elements of an array."""
        if value.__class__ is not list:
            raise WrongValue(f"expected an array, found {fields.shown(value)}")
        done = 0
        try:
            for element in value:
                read(element)
                done += 1
        except WrongValue as wrong:
            wrong.path.append(f"[{done}]")
            raise


def table(**members: Callable[[Any], Any] | Part) -> Table:
    """A table of members by both their names, lowerCamelCase and as in protobuf."""
    result: Table = {}
    for field, read in members.items():
        entry: _Entry = (field, None, read.read) if isinstance(read, Part) else (field, read, None)
        first, *others = field.split("_")
        result[field] = result[first + "".join(map(str.capitalize, others))] = entry
    return result


def message(members: Table) -> Part:
    """A message in a message."""

    def read(filler: Filler, parent: Any, field: str, value: Any, level: int) -> None:
        child = getattr(parent, field)
        child.SetInParent()
        filler.fill(child, members, value, level)

    return Part(read)


def messages(members: Table) -> Part:
    """A repeated message."""

    def read(filler: Filler, parent: Any, field: str, value: Any, level: int) -> None:
        add = getattr(parent, field).add
        filler.each(value, lambda tree: filler.fill(add(), members, tree, level))

    return Part(read)


def _texts(filler: Filler, parent: Any, field: str, value: Any, level: int) -> None:
    append = getattr(parent, field).append
    filler.each(value, lambda text: append(fields.text(text)))


def _pairs(filler: Filler, parent: Any, field: str, value: Any, level: int) -> None:
    add = getattr(parent, field).add

    def read(tree: Any) -> None:
        pair = add()
        if tree.__class__ is dict and len(tree) == 2:  # nearly always a key and a string
            inner = tree.get("value")
            if inner.__class__ is dict and len(inner) == 1:
                key, text = tree.get("key"), inner.get("stringValue")
                if key.__class__ is str and text.__class__ is str:
                    pair.key = string_bytes(key)
                    pair.value.string_value = string_bytes(text)
                    return
        filler.fill(pair, _KEY_VALUE, tree, level)

    filler.each(value, read)


def _list_inside(filler: Filler, target: Any, field: str, value: Any, level: int) -> None:
    """Read an array or map into its field, where it stands as protobuf (see `schema`)."""
    if level >= filler.nesting:
        raise WrongValue(f"values nest deeper than {filler.nesting} levels")
    kind, members = _LISTS[field]
    result = kind()
    filler.fill(result, members, value, level + 1)
    setattr(target, field, result.SerializeToString())


def _index(number: int) -> Part:
    """A profiling-only index: our schema does not know it, so it is kept as protobuf would."""

    def read(filler: Filler, target: Any, field: str, value: Any, level: int) -> None:
        target.MergeFromString(encode_varint(number << 3) + encode_varint(fields.int32(value)))

    return Part(read)


def _members(tree: Any) -> Iterable[tuple[str, Any]]:
    if tree.__class__ is dict:
        items: Iterable[tuple[str, Any]] = tree.items()
        return items
    if tree is None:
        return ()
    raise WrongValue(f"expected an object, found {fields.shown(tree)}")


TEXTS = Part(_texts)  # a repeated string
PAIRS = Part(_pairs)  # an attribute list

# Of two members of the oneof the last one holds.
_ANY_VALUE = table(
    string_value=fields.text,
    bool_value=fields.boolean,
    int_value=fields.int64,
    double_value=fields.double,
    bytes_value=fields.base64_bytes,
    array_value=Part(_list_inside),
    kvlist_value=Part(_list_inside),
    string_value_strindex=_index(8),
)
ANY_VALUE = message(_ANY_VALUE)
_KEY_VALUE = table(key=fields.text, value=ANY_VALUE, key_strindex=_index(3))
_LISTS: dict[str, tuple[Any, Table]] = {
    "array_value": (schema.ArrayValue, table(values=messages(_ANY_VALUE))),
    "kvlist_value": (schema.KeyValueList, table(values=PAIRS)),
}
