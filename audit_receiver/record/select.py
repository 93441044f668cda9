"""Which spans and log records are audit (DESIGN 4)."""

import fnmatch
import re
from dataclasses import dataclass, field
from hashlib import sha3_256

from audit_receiver.record import canonical

MOST_REMEMBERED = 10_000  # keys and names are the sender's choice, so what is remembered is bounded


def _pattern(globs: tuple[str, ...]) -> re.Pattern[bytes]:
    """One pattern for several shell globs; never matches if there is none."""
    return re.compile("|".join(map(fnmatch.translate, globs)).encode() if globs else rb"(?!)")


@dataclass(frozen=True, slots=True)
class Rule:
    """The selection rule: globs over attribute keys, and over event, span and scope names."""

    attributes: tuple[str, ...] = ("audit.*",)
    except_: tuple[str, ...] = ("audit.integrity.*",)
    names: tuple[str, ...] = ("audit", "audit.*")
    _attributes: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    _except: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    _names: re.Pattern[bytes] = field(init=False, repr=False, compare=False)
    _keys_seen: dict[bytes, bool] = field(init=False, repr=False, compare=False)
    _names_seen: dict[bytes, bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "_attributes", _pattern(self.attributes))
        put(self, "_except", _pattern(self.except_))
        put(self, "_names", _pattern(self.names))
        put(self, "_keys_seen", {})
        put(self, "_names_seen", {})

    def wants_key(self, key: bytes) -> bool:
        """Whether an attribute of this key makes its record audit."""
        seen = self._keys_seen.get(key)
        if seen is None:
            seen = bool(self._attributes.match(key)) and not self._except.match(key)
            if len(self._keys_seen) < MOST_REMEMBERED and len(key) <= 256:
                self._keys_seen[key] = seen
        return seen

    def wants_any(self, keys: list[bytes]) -> bool:
        """Whether one of a record's attribute keys makes it audit."""
        return any(map(self._keys_seen.get, keys)) or any(map(self.wants_key, keys))

    def wants_name(self, name: bytes) -> bool:
        """Whether a record with this event, span or scope name is audit."""
        seen = self._names_seen.get(name)
        if seen is None:
            seen = bool(self._names.match(name))
            if len(self._names_seen) < MOST_REMEMBERED and len(name) <= 256:
                self._names_seen[name] = seen
        return seen

    def as_dict(self) -> dict[str, list[str]]:
        """The rule as the genesis and config entries state it."""
        return {
            "attributes": list(self.attributes),
            "except": list(self.except_),
            "names": list(self.names),
        }

    def digest(self) -> str:
        """SHA3-256 of the canonical text of `as_dict`, lower-case hex."""
        return sha3_256(canonical.encode(self.as_dict())).hexdigest()


EVERYTHING = Rule(attributes=("*",), except_=(), names=("*",))  # where nothing is to be selected
