"""The schema as it is in the file, against every schema that was ever released (DESIGN 3.8)."""

from collections.abc import Iterable
from hashlib import sha3_256
from typing import Any

from audit_receiver.verify.findings import Finding
from audit_receiver.verify.released import APPLICATION_ID, RELEASED

# What SQLite's planner and Litestream add; anything else that is named sqlite_* counts.
_LEFT_OUT = {"sqlite_stat1", "sqlite_stat4", "_litestream_seq", "_litestream_lock"}
Row = tuple[Any, Any, Any, Any]  # type, name, tbl_name, sql


def digest(rows: Iterable[Row]) -> str:
    """SHA3-256 over the lines `type NUL name NUL tbl_name NUL sql LF`, by type and name, in hex."""
    lines = [b"\0".join(map(_bytes, row)) + b"\n" for row in _relevant(rows)]
    return sha3_256(b"".join(lines)).hexdigest()


class SchemaChecker:
    """Collects what is wrong with the schema; its findings are about the whole file."""

    def __init__(self) -> None:
        self._wrong: list[Finding] = []
        self._digest = ""
        self._released = False
        self.stated: Any = None  # the digest that the ledger's own records state

    @property
    def findings(self) -> list[Finding]:
        """What does not hold, the statement of the ledger's own records included."""
        if not self._released or self.stated is None or self.stated == self._digest:
            return self._wrong
        message = "the schema is a released one, but not the one that the ledger's records state"
        return [
            *self._wrong,
            Finding("schema", None, None, str(self.stated)[:200], self._digest, message),
        ]

    def check(self, rows: Iterable[Row], application_id: Any, user_version: Any) -> None:
        """Compare with what was released; names each object that differs."""
        rows = list(rows)
        self._digest = digest(rows)
        self._released = self._digest in RELEASED
        if application_id != APPLICATION_ID:
            self._say(
                "the application_id is not that of a ledger", APPLICATION_ID, repr(application_id)
            )
        version, objects = RELEASED.get(self._digest) or _nearest(rows)
        if user_version != version:
            self._say("the user_version is not that of this format", version, repr(user_version))
        if not self._released:
            self._compare(rows, objects)

    def _compare(self, rows: list[Row], objects: dict[tuple[str, str], str]) -> None:
        before = len(self._wrong)
        present = {
            (_text(kind), _text(name)): sha3_256(_bytes(sql)).hexdigest()
            for kind, name, _, sql in _relevant(rows)
        }
        for key, expected in objects.items():
            if key not in present:
                self._say(f"{key[0]} {key[1]} was dropped", expected, "nothing")
            elif present[key] != expected:
                self._say(f"{key[0]} {key[1]} was changed", expected, present[key])
        for key in sorted(present.keys() - objects.keys()):
            self._say(f"{key[0]} {key[1]} was added", "nothing", present[key])
        if len(self._wrong) == before:
            self._say("an object stands twice or belongs to another table", "", self._digest)

    def _say(self, message: str, expected: object, found: str) -> None:
        self._wrong.append(Finding("schema", None, None, str(expected), found[:200], message[:300]))


def _nearest(rows: list[Row]) -> tuple[int, dict[tuple[str, str], str]]:
    """The released schema that differs least, the newer of two: what was meant to be there."""
    present = {(_text(row[0]), _text(row[1])) for row in _relevant(rows)}
    return min(reversed(RELEASED.values()), key=lambda one: len(present ^ one[1].keys()))


def _relevant(rows: Iterable[Row]) -> list[Row]:
    kept = [
        row
        for row in rows
        if row[3] is not None and not (row[0] == "table" and row[1] in _LEFT_OUT)
    ]
    return sorted(kept, key=lambda row: (_bytes(row[0]), _bytes(row[1])))


def _bytes(value: Any) -> bytes:
    """Any SQLite value as bytes: the schema table of a tampered file may hold any type."""
    return value if type(value) is bytes else str(value).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return _bytes(value).decode("utf-8", "replace")
