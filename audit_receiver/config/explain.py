"""What the model knows of a place in the file, and its objections in words that name the mend."""

import difflib
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from audit_receiver.config import anchors, keys
from audit_receiver.config.model import FIELDS, Config
from audit_receiver.config.section import Section
from audit_receiver.config.tree import Mistake, Node

_EXAMPLES = {"name": "example.com/audit", "traces_url_path": "/v1/traces"}
_MENDS = {
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write a text",
    "string_pattern_mismatch": "write letters, digits and . _ ~ / - only, as in {example}",
    "string_too_long": "write a shorter one",
    "path_type": "write the path of a file",
    "greater_than": "write a larger value",
    "greater_than_equal": "write a larger value",
    "less_than_equal": "write a smaller value",
    "string_too_short": "write a pattern or leave it out",
}


def mistake(error: Any, where: tuple[Any, ...], tree: Node) -> Mistake:
    """One objection of pydantic's in our words."""
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        what = _unknown_key(where)
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        what = f"{_shown(given)} stands where a map of keys belongs; write its keys below it"
    elif kind == "missing":
        what = "this key is missing; add it"
    elif kind == "literal_error":
        what = f"{_shown(given)} is none of {error['ctx']['expected']}; write one of them"
    else:
        message = error["msg"].removeprefix("Value error, ")
        what = message if kind == "value_error" else f"{_shown(given)}: {_said(message)}"
        if kind in _MENDS:
            mend = _MENDS[kind].format(example=_EXAMPLES.get(str(where[-1]), "/v1/logs"))
            what = f"{what}; {mend}"
    return Mistake(line(tree, where), dotted(where) or "the file", what)


def place(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Pydantic's place as the file has it: without the marks of its own that it puts in."""
    where = tuple(part for part in location if part != "[key]")
    if where[:1] == ("anchors",) and len(where) > 2 and where[2] == anchors.kind(str(where[1])):
        where = (*where[:2], *where[3:])
    if where[:2] == ("ledger", "key") and where[2:3] in ((keys.FILE,), (keys.ELSEWHERE,)):
        where = (*where[:2], *where[3:])
    return where


def dotted(where: tuple[Any, ...]) -> str:
    """A place as people write it."""
    return ".".join(str(part) for part in where)


def line(tree: Node, where: tuple[Any, ...]) -> int:
    """The line (from 1) of the innermost part of `where` that the file has."""
    node = tree
    for part in where:
        inner = None
        if isinstance(node.value, dict):
            inner = node.value.get(str(part))
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            inner = node.value[part]
        if inner is None:
            break
        node = inner
    return node.line


def is_text(where: tuple[Any, ...]) -> bool:
    """Whether text belongs at `where`, so that 2024 and true are words there."""
    return bool({str, Path} & _kinds(_annotation(where)))


def may_be_null(where: tuple[Any, ...]) -> bool:
    """Whether null may stand at `where`."""
    return NoneType in _kinds(_annotation(where))


def _annotation(where: tuple[Any, ...]) -> Any:
    section: Any = Config
    if where[:1] == ("anchors",) and len(where) > 1:
        section, where = anchors.KINDS.get(anchors.kind(str(where[1]))), where[2:]
    for part in where:
        if isinstance(part, int):  # an item of a list, of which the section is known already
            continue
        if not (isinstance(section, type) and issubclass(section, Section)):
            break
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        if part not in fields:
            return None
        annotation = fields[part].annotation
        inner = [kind for kind in _kinds(annotation) if issubclass(kind, Section)]
        section = inner[0] if inner else annotation
    return section


def _kinds(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    found: set[Any] = {kind for part in inner for kind in _kinds(part)}
    return found if inner else {annotation} if isinstance(annotation, type) else set()


def _unknown_key(where: tuple[Any, ...]) -> str:
    known = _keys_at(where[:-1])
    near = difflib.get_close_matches(str(where[-1]), known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"there is no such key; {mend}"


def _keys_at(where: tuple[Any, ...]) -> list[str]:
    """The keys that may stand in the section at `where`."""
    if where and where[0] == "fields":
        return list(FIELDS)
    section = _annotation(where)
    fields = section.model_fields.items()
    return [field.alias or name for name, field in fields if not field.exclude]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _said(message: str) -> str:
    """Pydantic's words without its types: people write lists."""
    return (message[:1].lower() + message[1:]).replace("valid tuple", "list, as in [a, b]")
