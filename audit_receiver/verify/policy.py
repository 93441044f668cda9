"""Whom a verifier trusts, in C2SP's own form (tlog-policy): logs, witnesses, and how many of them.

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <member>...
quorum <name>|none
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit_receiver.tlog.cosignature import CosignerKey, cosignatures
from audit_receiver.tlog.note import Note, NoteError, VerifierKey
from audit_receiver.verify.trust import Cosigned, NotTrusted, Quorum, Seen

NONE = "none"
MOST_LINES = 10_000
SECOND = 1_000_000_000
_COUNT = re.compile(r"[1-9][0-9]{0,5}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class PolicyError(ValueError):
    """The text is no policy; the message says which line, and what is wrong with it."""


class Group(NamedTuple):
    """So many of these have to have seen a checkpoint."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Known logs and witnesses, and which of the witnesses are enough."""

    logs: tuple[VerifierKey, ...]
    witnesses: dict[str, CosignerKey]
    groups: dict[str, Group]
    quorum: str

    @property
    def cosigned(self) -> Cosigned:
        """What known witnesses say of a note of a known log."""
        names = {(key.name, key.key_id): name for name, key in self.witnesses.items()}

        def cosigned(text: str) -> Sequence[Seen]:
            note = Note.parse(text)
            if self.logs and note.signed_by(self.logs) is None:
                raise NotTrusted("the policy names no key of the log that signed the checkpoint")
            return [
                Seen(names[one.key.name, one.key.key_id], one.unix_seconds * SECOND)
                for one in cosignatures(note, self.witnesses.values())
            ]

        return cosigned

    @property
    def enough(self) -> Quorum:
        """Whether these witnesses are a quorum; never without witnesses (`quorum none`)."""

        def enough(names: Collection[str]) -> bool:
            return self.quorum != NONE and self._saw(self.quorum, frozenset(names))

        return enough

    def _saw(self, name: str, seen: frozenset[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in seen
        return sum(self._saw(member, seen) for member in group.members) >= group.least


class _Reading:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, CosignerKey] = {}
        self.groups: dict[str, Group] = {}
        self.quorum = ""
        self._members: set[str] = set()

    def log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise PolicyError("a log is `log <vkey> [<url>]`")
        key = VerifierKey.parse(words[0])
        if any(key.public == other.public for other in self.logs):
            raise PolicyError("another line has this log's key already")
        self.logs.append(key)

    def witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise PolicyError("a witness is `witness <name> <vkey> [<url>]`")
        key = CosignerKey.parse(words[1])
        if any(key.public == other.public for other in self.witnesses.values()):
            raise PolicyError("another line has this witness's key already")
        self._new(words[0])
        self.witnesses[words[0]] = key

    def group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise PolicyError("a group is `group <name> all|any|<k> <member>...`")
        name, count, *members = words
        for member in members:
            self._defined(member)
            if member in self._members:
                raise PolicyError(f"{member} is a member of a group already")
            self._members.add(member)
        least = {"all": len(members), "any": 1}.get(count)
        if least is None:
            if not _COUNT.match(count) or int(count) > len(members):
                raise PolicyError(f"{count} is not all, any, or 1 to {len(members)}")
            least = int(count)
        self._new(name)
        self.groups[name] = Group(least, tuple(members))

    def quorum_of(self, words: list[str]) -> None:
        if len(words) != 1 or self.quorum:
            raise PolicyError("there is exactly one `quorum <name>`")
        if words[0] != NONE:
            self._defined(words[0])
        self.quorum = words[0]

    def _new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name} is taken")

    def _defined(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyError(f"no line before this one defines {name}")


def parse(text: str) -> Policy:
    """Read a policy. Raises PolicyError."""
    reading = _Reading()
    kinds = {
        "log": reading.log,
        "witness": reading.witness,
        "group": reading.group,
        "quorum": reading.quorum_of,
    }
    for number, line in enumerate(text.split("\n")[:MOST_LINES], 1):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            continue
        try:
            if _CONTROL.search(line):
                raise PolicyError("it has a control character")
            if words[0] not in kinds:
                raise PolicyError(f"{words[0][:40]!r} is not log, witness, group or quorum")
            kinds[words[0]](words[1:])
        except (PolicyError, NoteError) as exc:
            raise PolicyError(f"line {number}: {exc}") from exc
    if not reading.quorum:
        raise PolicyError("it has no `quorum` line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)
