"""Redaction before recording: what must not be kept is dropped, masked or hashed, and named.

It happens between reading a record and normalising it, so that nothing redacted reaches body,
header, subject or identity. A rule's globs match a key of any attribute list or map (record,
resource, scope, event, link, and a log's body that is a map) in small letters and with `_` for `-`:
the key, what comes after its last dot, or the whole path from the top of its list. A rule's
patterns match inside any text. What cannot be looked into (`attributes_raw`, `$otlp`, unknown
fields) is taken out whole where a word of a rule stands in it.
"""

import base64
import fnmatch
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha3_256
from typing import Any, Literal, NamedTuple

from audit_receiver.record import canonical, denied
from audit_receiver.record.model import CanonicalValue

Action = Literal["drop", "hash", "mask"]
MASK = "[redacted]"
HASHED = "hmac-sha256:"
MOST_REMEMBERED = 10_000  # keys are the sender's choice, so what is remembered is bounded
LONGEST_REMEMBERED = 256
_SPARED = frozenset({"service.name"})  # heartbeats count by it, and requests that keep nothing too
OPAQUE = frozenset({"attributes_raw", "unknown", "envelope_unknown", "request_unknown"})
WRAPPERS = frozenset({"$int", "$double", "$bytes", "$utf8", "$otlp"})


@dataclass(frozen=True, slots=True)
class RedactionRule:
    """Keys (globs) and forms of values (regular expressions), and what becomes of what matches."""

    action: Action
    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it counts in the digest of the rules."""
        return {"action": self.action, "keys": list(self.keys), "values": list(self.values)}


class Pattern(NamedTuple):
    """A compiled form: where `hint` is not in a text, `search` finds nothing either."""

    hint: str
    search: re.Pattern[str]
    action: Action


class Matcher:
    """The rules, compiled. The first rule whose glob matches a key decides; `spared` come first.

    Args:
        rules: those of the configuration; they come before the built-in ones.
        spared: globs of keys that no key rule touches.
        defaults: whether the built-in list of secrets is on, with the action `mask`.
        key: of HMAC-SHA-256, for the action `hash`.
    """

    def __init__(
        self,
        rules: Sequence[RedactionRule] = (),
        spared: Sequence[str] = (),
        defaults: bool = True,
        key: bytes = b"",
    ) -> None:
        self._key = key
        self._rules = (*rules, RedactionRule("mask", denied.KEYS)) if defaults else tuple(rules)
        self._spared = _globs(spared)
        self._globs = [(_globs(rule.keys), rule.action) for rule in self._rules if rule.keys]
        self._built_in = len(self._globs) - 1 if defaults else len(self._globs)
        self._given = [Pattern("", re.compile(v), r.action) for r in rules for v in r.values]
        forms = denied.FORMS if defaults else ()
        self._hinted = [Pattern(form.hint, re.compile(form.pattern), "mask") for form in forms]
        self._hints = _shortest(form.hint for form in forms)
        self._patterns = (*self._given, *self._hinted)
        self._loose = [re.compile(p.search.pattern.replace(r"\b", "")) for p in self._patterns]
        self._words = _words(glob for rule in self._rules for glob in rule.keys)
        self._seen: dict[tuple[str, str], int] = {}
        if not key and any(rule.action == "hash" for rule in rules):
            raise ValueError("the action `hash` needs a key")

    def action_for(self, key: str, path: str, value: CanonicalValue) -> Action | None:
        """What is to become of the value under this key."""
        place = self.place(key, path)
        if place < 0 or value is None or value == "":
            return None
        # The built-in words are about secrets, and `has_password: true` is none.
        if place == self._built_in and isinstance(value, bool):
            return None
        return self._globs[place][1]

    def place(self, key: str, path: str) -> int:
        """Which list of globs matches a key first, -1 if none does."""
        found = self._seen.get((key, path))
        if found is None:
            found = self._place(key, path)
            if len(self._seen) < MOST_REMEMBERED and len(path) <= LONGEST_REMEMBERED:
                self._seen[key, path] = found
        return found

    def _place(self, key: str, path: str) -> int:
        plain = _plain(key)
        if plain in _SPARED:
            return -1
        names = {plain, plain.rpartition(".")[2], _plain(path)}
        if any(map(self._spared.match, names)):
            return -1
        for place, (globs, _) in enumerate(self._globs):
            if any(map(globs.match, names)):
                return place
        return -1

    def suspects(self, texts: Sequence[str]) -> bool:
        """Whether a pattern may match in one of these texts; False is certain."""
        joined = "\n".join(texts)
        for hint in self._hints:
            if hint in joined:
                return True
        return bool(self._given) and any(
            pattern.search.search(text) for pattern in self._given for text in texts
        )

    def cleaned(self, text: str) -> tuple[str, list[Action]]:
        """A text without what the patterns match, and the actions that were taken."""
        taken: list[Action] = []
        for pattern in self._patterns:
            if pattern.hint in text:
                text, number = pattern.search.subn(self._replacement(pattern.action), text)
                taken += [pattern.action] * number
        return text, taken

    def replaced(self, value: CanonicalValue, action: Action) -> str:
        """What stands in the place of a whole value."""
        return MASK if action != "hash" else self._hash(canonical.encode(value))

    def finds_in(self, raw: bytes) -> bool:
        """Whether a word or form of the rules stands in bytes that nobody reads as values."""
        text = raw.decode("utf-8", "replace")
        plain = text.lower().replace("-", "_")
        if any(word in plain for word in self._words):
            return True
        # A length before a text may look like a letter of it, so `\b` is left out here.
        return any(loose.search(text) for loose in self._loose)

    def finds_in_base64(self, text: str) -> bool:
        """`finds_in` for what stands in a body as base64."""
        return self.finds_in(base64.b64decode(text))

    def _replacement(self, action: Action) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            if not match[0]:
                return ""
            if action == "drop":
                return ""
            return MASK if action == "mask" else self._hash(canonical.encode(match[0]))

        return replace

    def _hash(self, text: bytes) -> str:
        return HASHED + hmac.new(self._key, text, "sha256").hexdigest()


def digest(rules: Sequence[RedactionRule], spared: Sequence[str], defaults: bool) -> str:
    """SHA3-256 of the canonical text of all rules, the built-in ones too; lower-case hex."""
    every = {
        "except": list(spared),
        "forms": [form.pattern for form in denied.FORMS] if defaults else [],
        "keys": list(denied.KEYS) if defaults else [],
        "rules": [rule.as_dict() for rule in rules],
    }
    return sha3_256(canonical.encode(every)).hexdigest()


def key_text(key: str) -> str:
    """A key as the sender wrote it, from its canonical form."""
    if key.startswith("$utf8:"):
        return base64.b64decode(key[6:]).decode("utf-8", "replace")
    return key[1:] if key.startswith("$$") else key


def _plain(key: str) -> str:
    return key_text(key).lower().replace("-", "_")


def _globs(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for several globs; never matches if there is none."""
    plain = [fnmatch.translate(glob.lower().replace("-", "_")) for glob in globs]
    return re.compile("|".join(plain) if plain else r"(?!)")


def _words(globs: Iterable[str]) -> tuple[str, ...]:
    """A text of each glob that stands in everything it matches; "" (in all texts) if unknown."""
    words = set()
    for glob in globs:
        plain = re.split(r"[*?]", glob.lower().replace("-", "_").partition("[")[0])
        words.add(max(plain, key=len))
    return _shortest(words)


def _shortest(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of the texts in which none of the others stands."""
    words = set(texts)
    kept = {word for word in words if not any(other in word for other in words - {word})}
    return tuple(sorted(kept))
