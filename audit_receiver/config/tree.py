"""YAML text as a tree that knows its lines; whatever the text is, a Mistake and never a traceback.

Read from the parser's events and not with a library's constructor: tags construct nothing, depth
and size are bounded, and every key keeps the line that a person has to correct.
"""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

DEEPEST = 32
MOST_VALUES = 20_000  # aliases count each time, so that no small file becomes a large one
_PLAIN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NULLS = ("", "~", "null", "Null", "NULL")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,30})\Z")
_SAID_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!")


class Mistake(NamedTuple):
    """One thing to correct: where it stands, what is wrong and the mend."""

    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


class NotYaml(Exception):
    """The text cannot be read any further; `mistake` says where and why."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.mistake = Mistake(line, "", what)


class Scalar(NamedTuple):
    """A value's own text; `plain` if it stands without quotes, so that 5 is a number."""

    text: str
    plain: bool


class Node(NamedTuple):
    """A value, the line that a person looks for it in, and how many values it is."""

    line: int
    value: "Scalar | dict[str, Node] | list[Node]"
    size: int


def typed(text: str) -> Any:
    """What a scalar without quotes means in YAML 1.2, as far as a configuration needs it."""
    if text in NULLS:
        return None
    if text in _PLAIN:
        return _PLAIN[text]
    return int(text) if _INTEGER.match(text) else text


def read(text: str, mistakes: list[Mistake]) -> Node:
    """The tree of one document; what can be read around is added to `mistakes`. Raises NotYaml."""
    reader = _Reader(_events(text), mistakes)
    try:
        return reader.document()
    except ReaderError as exc:
        at = exc.position if isinstance(exc.position, int) else 0
        line = text.count("\n", 0, at) + 1
        raise NotYaml(line, f"is not YAML: {exc.reason}; remove that character") from exc
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = str(exc.problem or exc.context).splitlines()[0]
        raise NotYaml(line, f"is not YAML: {said}; look at column {column} and before") from exc
    except (YAMLError, ValueError) as exc:
        raise NotYaml(1, f"is not YAML: {exc}; compare it with config/") from exc


def _events(text: str) -> Iterator[Any]:
    yield from YAML(typ="safe", pure=True).parse(StringIO(text))


class _Reader:
    def __init__(self, events: Iterator[Any], mistakes: list[Mistake]) -> None:
        self._events = events
        self._mistakes = mistakes
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node:
        root = Node(1, {}, 1)
        seen = 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                seen += 1
                if seen > 1:
                    raise NotYaml(_line(event), "a second document begins here; keep only one")
            elif kind in ("ScalarEvent", "MappingStartEvent", "SequenceStartEvent", "AliasEvent"):
                root = self._node(event, ())
        if isinstance(root.value, Scalar) and root.value.plain and root.value.text in NULLS:
            return Node(1, {}, 1)
        if not isinstance(root.value, dict):
            raise NotYaml(root.line, "a configuration is a map of keys, as in config/")
        return root

    def _node(self, event: Any, where: tuple[str, ...]) -> Node:
        line, kind = _line(event), type(event).__name__
        if len(where) > DEEPEST:
            raise NotYaml(line, f"is nested deeper than {DEEPEST} levels; no key lies so deep")
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise NotYaml(line, f"*{event.anchor} names nothing before it; name an &anchor")
            return self._anchors[event.anchor]._replace(line=line)
        tag = str(getattr(event, "tag", None) or "")
        if tag and tag not in _SAID_TAGS:
            self._mistakes.append(
                Mistake(
                    line, ".".join(where), f"the tag {_short(tag)} means nothing here; remove it"
                )
            )
        if kind == "MappingStartEvent":
            node = self._map(line, where)
        elif kind == "SequenceStartEvent":
            node = self._list(line, where)
        else:
            plain = event.style is None and not tag
            node = Node(line, Scalar(str(event.value), plain), 1)
        if node.size > MOST_VALUES:
            raise NotYaml(line, f"holds more than {MOST_VALUES} values; no configuration does")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _list(self, line: int, where: tuple[str, ...]) -> Node:
        items: list[Node] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            items.append(self._node(event, (*where, str(len(items)))))
        return Node(line, items, 1 + sum(item.size for item in items))

    def _map(self, line: int, where: tuple[str, ...]) -> Node:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._node(event, where)
            if not isinstance(key.value, Scalar):
                raise NotYaml(key.line, "a list or map stands as a key; a key is one word")
            name = key.value.text
            value = self._node(next(self._events), (*where, name))
            if name == "<<" and key.value.plain:
                self._merge(value, merged, where)
            elif name in own:
                dotted = ".".join((*where, name))
                said = f"is there already in line {own[name].line}; keep one of the two"
                self._mistakes.append(Mistake(key.line, dotted, said))
            else:
                own[name] = value._replace(line=key.line)
        everything = merged | own
        return Node(line, everything, 1 + sum(value.size for value in everything.values()))

    def _merge(self, value: Node, into: dict[str, Node], where: tuple[str, ...]) -> None:
        """Keys of the map, or of the maps, that `<<` names; the first that has a key gives it."""
        for part in value.value if isinstance(value.value, list) else [value]:
            if not isinstance(part.value, dict):
                dotted = ".".join((*where, "<<"))
                said = "merges what is no map of keys; name a map, as in <<: *anchor"
                self._mistakes.append(Mistake(part.line, dotted, said))
                continue
            for name, inner in part.value.items():
                into.setdefault(name, inner)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:60]
