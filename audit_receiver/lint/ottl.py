"""OTTL conditions, as far as one can say whether an audit record can meet them.

A condition of the `filter` processor drops what meets it. It is safe only if meeting it means that
a record has no `audit.*` attribute, no audit name of its own and no audit scope; whatever else a
condition asks (severity, service, route) an audit record may have as well.
"""

import re

SAFE, DROPS, MAY_DROP = "safe", "drops", "may drop"
KEYS = ("audit.action", "audit.actor.id", "audit.record.id", "audit.x")
_NAMES = ("audit", "audit.login", "audit.role.update")
_MAPS = ('{"audit.action":"x"}', '{"a":1,"audit.actor.id":"b"}', '{"audit.x":""}')
# What a condition has to exclude to be safe, by what it is asked about.
_EXCLUDES = {
    "span": {"name", "attributes", "scope", "events"},
    "log": {"event_name", "attributes", "scope"},
    "spanevent": {"name", "attributes"},
}
_SUBJECTS = {"event_name": "event name", "events": "events", "scope": "scope name"}
_MOST_WAYS = 256
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()\[\]]|[A-Za-z_][\w.]*|\s+|.', re.DOTALL)
_STRING = r'"((?:[^"\\]|\\.)*)"'
_IS_MATCH = re.compile(rf"IsMatch\(\s*([\w.]+)\s*,\s*{_STRING}\s*\)\Z")
_HAS_PREFIX = re.compile(rf"HasPrefix\(\s*([\w.]+)\s*,\s*{_STRING}\s*\)\Z")
_LENGTH = re.compile(r"Len\(\s*([\w.]+)\s*\)\s*==\s*0\Z")
_KEY = re.compile(rf"([\w.]*attributes)\[{_STRING}\]\s*(==|!=)\s*nil\Z")
_NAME = re.compile(rf"([\w.]+)\s*(==|!=)\s*{_STRING}\Z")

Leaf = tuple[str, bool]  # its text, and whether it has to be true


def judge(condition: str, context: str) -> tuple[str, str]:
    """Whether an audit record can meet a condition, and why; `context`: span, log or spanevent."""
    try:
        ways = _Parser(condition).ways()
    except _Unreadable:
        return MAY_DROP, "the condition cannot be read"
    worst, why = SAFE, ""
    for way in ways:
        verdict, said = _judge(way, context)
        if verdict == DROPS:
            return verdict, said
        if verdict == MAY_DROP and worst == SAFE:
            worst, why = verdict, said
    return worst, why


def matches(pattern: str, texts: tuple[str, ...] = KEYS) -> int:
    """How many of `texts` a regular expression finds; 0 if it is none that can be read."""
    try:
        return sum(bool(re.search(pattern, text)) for text in texts)
    except re.error:
        return 0


def unquoted(text: str) -> str:
    """The text of a string literal's inside."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text)


def _judge(way: list[Leaf], context: str) -> tuple[str, str]:
    missing = set(_EXCLUDES[context])
    keys = []
    for text, wanted in way:
        missing.discard(_excluded(text, wanted) or "")
        if key := _key(text, wanted):
            keys.append(key)
    if not missing:
        return SAFE, ""
    if all(_means_audit(text, wanted) for text, wanted in way):
        return DROPS, "audit records are just what meets it"
    if keys and "attributes" in missing:
        return MAY_DROP, f"a record may be audit without {' and '.join(keys)}"
    left = " or ".join(_SUBJECTS.get(word, word) for word in sorted(missing))
    return MAY_DROP, f"it says nothing of an audit record's {left}"


def _excluded(text: str, wanted: bool) -> str | None:
    """What a leaf rules out, if it rules out all of it."""
    if (found := _LENGTH.match(text)) and wanted:
        subject = _subject(found[1])
        return subject if subject in ("events", "attributes") else None
    if (found := _IS_MATCH.match(text)) and not wanted:
        subject = _subject(found[1])
        texts = _MAPS if subject == "attributes" else _NAMES
        return subject if matches(unquoted(found[2]), texts) == len(texts) else None
    return None


def _key(text: str, wanted: bool) -> str | None:
    """The one audit key whose absence a leaf asks for."""
    found = _KEY.match(text)
    if found and (found[3] == "==") == wanted and found[2].startswith("audit."):
        return found[2]
    return None


def _means_audit(text: str, wanted: bool) -> bool:
    """Whether audit records are what a leaf looks for."""
    if text == "true":
        return wanted
    if found := _KEY.match(text):
        return (found[3] == "!=") == wanted and found[2].startswith("audit.")
    if found := _HAS_PREFIX.match(text):
        return wanted and found[2].startswith("audit")
    if found := _NAME.match(text):
        named = found[3] == "audit" or found[3].startswith("audit.")
        return (found[2] == "==") == wanted and named
    if found := _IS_MATCH.match(text):
        texts = _MAPS if _subject(found[1]) == "attributes" else _NAMES
        return wanted and matches(unquoted(found[2]), texts) == len(texts)
    return False


def _subject(path: str) -> str:
    """What a path is about, without its context: `span.attributes` is `attributes`."""
    if path in ("scope.name", "instrumentation_scope.name"):
        return "scope"
    context, _, name = path.rpartition(".")
    return name if context in ("", "span", "log", "spanevent") else path


class _Unreadable(Exception):
    pass


class _Parser:
    """and, or, not, parentheses; all else is a leaf, kept as its text."""

    def __init__(self, text: str) -> None:
        self._words = [word for word in _WORD.findall(text) if not word.isspace()]
        self._at = 0

    def ways(self) -> list[list[Leaf]]:
        """The ways to meet the condition, each a list of leaves that hold together."""
        tree = self._either()
        if self._at != len(self._words):
            raise _Unreadable
        return _ways(tree, True)

    def _either(self) -> tuple[str, list[object]]:
        parts: list[object] = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return "or", parts

    def _both(self) -> tuple[str, list[object]]:
        parts: list[object] = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return "and", parts

    def _one(self) -> tuple[str, list[object]]:
        if self._take("not"):
            return "not", [self._one()]
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise _Unreadable
            return inner
        return "leaf", [self._leaf()]

    def _leaf(self) -> str:
        words, depth = [], 0
        while (word := self._next()) is not None:
            if depth == 0 and (word in ("and", "or") or word in ")]"):
                break
            depth += (word in "([") - (word in ")]")
            words.append(word)
            self._at += 1
        if not words or depth:
            raise _Unreadable
        return _joined(words)

    def _take(self, word: str) -> bool:
        if self._next() != word:
            return False
        self._at += 1
        return True

    def _next(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None


def _joined(words: list[str]) -> str:
    """One spelling of a leaf: no spaces, but around comparisons and after commas."""
    text = "".join(f" {word} " if word in "=!<>" else word for word in words)
    text = text.replace(" =  = ", " == ").replace(" !  = ", " != ")
    return text.strip()


def _ways(tree: object, wanted: bool) -> list[list[Leaf]]:
    """The disjunctive normal form; raises _Unreadable if it grows out of hand."""
    assert isinstance(tree, tuple)
    name, parts = tree
    if name == "leaf":
        return [[(parts[0], wanted)]]
    if name == "not":
        return _ways(parts[0], not wanted)
    several = [_ways(part, wanted) for part in parts]
    if (name == "or") == wanted:
        return [way for ways in several for way in ways]
    ways: list[list[Leaf]] = [[]]
    for more in several:
        if len(ways) * len(more) > _MOST_WAYS:
            raise _Unreadable
        ways = [way + other for way in ways for other in more]
    return ways
