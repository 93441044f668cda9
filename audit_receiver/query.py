"""From a filter to SQL: what somebody asks for, as statements over the public views.

Two steps, so that no read transaction lasts long and the number of records is known before the
first is printed: `find` gives the `seq` of every match, `fetch` the rows of some of them. Entries
are never removed, so the second step cannot miss what the first has found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from audit_receiver.record import canonical, flags, header, timestamp

KINDS = ("span", "log", "audit", "ledger")
RECORDS, RECORDS_ALL, EVENTS = "audit_records", "audit_records_all", "ledger_events"

SUMMARY = (
    *("seq", "timestamp", "service", "actor", "action", "target"),
    *("old_value", "new_value", "outcome", "source_ip", "flags"),
)
SPARE = ("flags", "source_ip", "service")  # left out first where a screen is narrow
EVENT_SUMMARY = ("seq", "timestamp", "event", "details")
COLUMNS = (
    *("seq", "kind", "timestamp", "received_at", "service", "environment", "actor", "actor_type"),
    *("action", "target", "target_type", "old_value", "new_value", "outcome", "source_ip", "name"),
    *("event", "message", "trace_id", "span_id", "record_id", "flags", "duplicate_of"),
    *("attributes", "resource", "scope", "body", "prev_hash", "hash"),
)
EVENT_COLUMNS = (
    *("seq", "kind", "timestamp", "received_at", "action", "event", "details"),
    *("flags", "body", "prev_hash", "hash"),
)

_TRACE_ID = re.compile(r"[0-9a-f]{32}\Z")
_NEWEST_FIRST = "ORDER BY timestamp DESC, seq DESC"


class FilterError(ValueError):
    """A filter that cannot mean anything; the message says which value and what is possible."""


class Statement(NamedTuple):
    """SQL and the values bound to its question marks."""

    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for. Several values of one field mean any of them, several fields mean all.

    `flags` and `words` must all be there. A word is looked for in everything that the record says,
    ASCII letters in either case. Times are event times in nanoseconds, `before` is exclusive; a
    record without event time counts by the time at which it was received.
    """

    actors: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since_unix_nano: int | None = None
    before_unix_nano: int | None = None
    duplicates: bool = False  # also the entries that repeat an earlier one

    def __post_init__(self) -> None:
        _check_words("outcome", self.outcomes, header.OUTCOMES)
        _check_words("kind", self.kinds, KINDS)
        _check_words("flag", self.flags, tuple(flags.ALL))
        for trace_id in self.trace_ids:
            if not _TRACE_ID.match(trace_id):
                raise FilterError(f"trace id {trace_id!r} is not 32 digits of lower-case hex")
        if "ledger" in self.kinds and len(set(self.kinds)) > 1:
            raise FilterError(
                "kind ledger (the receiver's own records) has other columns than the rest: ask for"
                " it alone"
            )
        first, before = self.since_unix_nano, self.before_unix_nano
        if first is not None and before is not None and first >= before:
            raise FilterError("the period ends before it begins: no record can lie in it")

    @property
    def view(self) -> str:
        """The view that has what is asked for."""
        if "ledger" in self.kinds:
            return EVENTS
        return RECORDS_ALL if self.duplicates else RECORDS

    @property
    def columns(self) -> tuple[str, ...]:
        """All that there is to say about each match."""
        return EVENT_COLUMNS if self.view == EVENTS else COLUMNS

    @property
    def summary(self) -> tuple[str, ...]:
        """What fits on a screen."""
        return EVENT_SUMMARY if self.view == EVENTS else SUMMARY

    def as_dict(self) -> dict[str, Any]:
        """What was asked, for the ledger's record of reads; what was not asked is left out."""
        many = {
            "actor": self.actors,
            "action": self.actions,
            "target": self.targets,
            "outcome": self.outcomes,
            "service": self.services,
            "kind": self.kinds,
            "trace_id": self.trace_ids,
            "flag": self.flags,
            "text": self.words,
        }
        found: dict[str, Any] = {name: list(values) for name, values in many.items() if values}
        if self.since_unix_nano is not None:
            found["from"] = timestamp.render(self.since_unix_nano)
        if self.before_unix_nano is not None:
            found["before"] = timestamp.render(self.before_unix_nano)
        if self.duplicates:
            found["duplicates"] = True
        return found


def find(wanted: Filter, limit: int | None = None) -> Statement:
    """The `seq` of every match, newest event first; those without event time come last."""
    where, parameters = _where(wanted)
    dated, undated, bounds = _period(wanted)
    # A selective index of its own beats the period's: then time is looked at row by row.
    chosen = bool(wanted.actors or wanted.targets or wanted.trace_ids)
    if not bounds:
        branches, bound = [where], parameters
    elif chosen:
        branches, bound = [[*where, f"({dated} OR {undated})"]], [*parameters, *bounds, *bounds]
    else:
        branches = [[*where, dated], [*where, undated]]
        bound = [*parameters, *bounds] * 2
    selects = [
        f"SELECT seq, timestamp FROM {wanted.view} WHERE {' AND '.join(branch or ['1'])}"
        for branch in branches
    ]
    sql = f"{' UNION ALL '.join(selects)} {_NEWEST_FIRST}"
    if limit is not None:
        return Statement(f"{sql} LIMIT ?", (*bound, limit))
    return Statement(sql, tuple(bound))


def fetch(view: str, columns: Sequence[str], seqs: Sequence[int]) -> Statement:
    """The rows of these entries, in the order of seq."""
    places = ",".join("?" * len(seqs))
    sql = f"SELECT {', '.join(columns)} FROM {view} WHERE seq IN ({places}) ORDER BY seq"
    return Statement(sql, tuple(seqs))


def _where(wanted: Filter) -> tuple[list[str], list[Any]]:
    """Conditions and their values. Only the most selective column keeps its index (no plus)."""
    where: list[str] = []
    bound: list[Any] = []
    taken = False
    for column, values in (
        ("trace_id", wanted.trace_ids),
        ("target", wanted.targets),
        ("actor", wanted.actors),
    ):
        if values:
            where.append(_any_of(f"+{column}" if taken else column, len(values)))
            bound += values
            taken = True
    if wanted.actions:
        condition, actions = _actions(wanted.actions, taken)
        where.append(condition)
        bound += actions
    for column, values in (("outcome", wanted.outcomes), ("kind", wanted.kinds)):
        if values:
            where.append(_any_of(f"+{column}", len(values)))
            bound += values
    if wanted.services:
        some = _any_of("service", len(wanted.services))
        name = "json_extract(resource, '$.attributes.\"service.name\"')"
        where.append(f"({some} OR (service IS NULL AND {_any_of(name, len(wanted.services))}))")
        bound += wanted.services * 2
    for flag in wanted.flags:
        where.append("instr(flags, ?) > 0")
        bound.append(f'"{flag}"')
    for word in wanted.words:
        where.append(_WORD)
        bound += [_like(word)] * 2
    return where, bound


def _actions(actions: Sequence[str], taken: bool) -> tuple[str, list[Any]]:
    """An action that is no header token stands in the body only (flag withheld_action)."""
    tokens = [action for action in actions if header.is_token(action)]
    others = [action for action in actions if not header.is_token(action)]
    parts = []
    if tokens:
        parts.append(_any_of("+action" if taken or others else "action", len(tokens)))
    if others:
        parts.append(_any_of("json_extract(body, '$.audit.action')", len(others)))
    return f"({' OR '.join(parts)})", [*tokens, *others]


def _period(wanted: Filter) -> tuple[str, str, list[str]]:
    """The period for dated and for undated records, and the values of either."""
    bounds, dated, undated = [], [], ["timestamp IS NULL"]
    for sign, moment in ((">=", wanted.since_unix_nano), ("<", wanted.before_unix_nano)):
        if moment is not None:
            dated.append(f"timestamp {sign} ?")
            undated.append(f"received_at {sign} ?")
            bounds.append(timestamp.render(moment))
    return f"({' AND '.join(dated)})", f"({' AND '.join(undated)})", bounds


def _any_of(column: str, count: int) -> str:
    return f"{column} = ?" if count == 1 else f"{column} IN ({','.join('?' * count)})"


# The salts are random hex and would answer to words like "dead": they are no part of what was said.
_WORD = "body LIKE ? ESCAPE '~' AND json_remove(body, '$.salt', '$.subject.salt') LIKE ? ESCAPE '~'"


def _like(word: str) -> str:
    """A pattern for the word as it is spelt in canonical text."""
    spelt = canonical.encode(word).decode()[1:-1]
    for special in ("~", "%", "_"):
        spelt = spelt.replace(special, f"~{special}")
    return f"%{spelt}%"


def _check_words(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise FilterError(f"{name} {value!r} does not exist; there are: {', '.join(known)}")
