"""The quick way past a record that holds: write its header again from its body, and compare.

The header is a function of the body, of the entry before, and of `flags`, `id` and `received`.
Writing it anew and comparing texts checks keys, order, canonical form, hashes, subject and every
derived field at once. Whatever does not come out equal goes the slow way (`content`), which says
what is wrong: nothing is accepted here that is not accepted there.
"""

import re
from functools import lru_cache
from hashlib import sha3_256
from typing import Any

import orjson

from audit_receiver.record import canonical, fields, header, heading, timestamp

RECORD_KINDS = frozenset(header.KINDS) - {"ledger"}
MOST_REMEMBERED = 16_384
_ID = len('"id":"0123456789abcdef",')
_TIME = len("2026-01-01T00:00:00.000000000Z")
_HEX = frozenset("0123456789abcdef")
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
# Where orjson and RFC 8785 may differ: numbers that end so, and characters of four bytes.
_EXPONENT = re.compile(rb"e[+-]?[0-9]+[,}\]]")
_BEYOND_BMP = re.compile(b"[\xf0-\xf4]")
_INTEGRAL = re.compile(rb"\.0[,}\]]")
_SHAPE = (KeyError, TypeError, AttributeError, ValueError, RecursionError)

# Flags and the presence of other fields depend on each other. Which of these combinations keep the
# rules is found by the strict parser, once for each combination.
_fitting: set[tuple[Any, ...]] = set()


def told(seq: int, text: str, body: str, prev: str) -> tuple[str, str, str] | None:
    """(received, action, outcome) of a record whose header is the one that its body asks for.

    None if the header is another one, or if the entry has to be looked at more closely.
    """
    try:
        raw = body.encode()
        value = orjson.loads(body)
        if orjson.dumps(value, option=_SORTED) != raw or _is_odd(raw):
            return None
        kind, otlp = value["kind"], value["otlp"]
        if kind not in RECORD_KINDS:
            return None
        found = fields.of_record(
            kind, value["audit"], otlp, value["attributes"], value["resource"]["attributes"]
        )
        subject = sha3_256(orjson.dumps(value["subject"], option=_SORTED)).hexdigest()
        time = fields.time_of(kind, otlp)
        digest = sha3_256(raw).hexdigest()
        head, middle, kinds, tail = header.fixed(kind, digest, subject, time, found)
    except _SHAPE:
        return None
    start, end = head + middle, f'","seq":{seq}{tail}'
    if "duplicate_of" in value or not (text.startswith(start) and text.endswith(end)):
        return None
    free = text[len(start) : -len(end)]  # flags, id, kind and outcome, prev, received
    before = f'{kinds}{prev}","received":"'
    cut = len(free) - _TIME - len(before) - _ID
    known = free[cut : cut + _ID]
    if (
        cut < 0
        or free[cut + _ID : -_TIME] != before
        or free[:9] != '"flags":['
        or known[:6] != '"id":"'
        or known[22:] != '",'
        or not _HEX.issuperset(known[6:22])
    ):
        return None
    received, flags = free[-_TIME:], free[:cut]
    action, actor_type, environment, event, outcome, service, target_type, tenant, _ = found
    if not _is_time(received) or (time is not None and not _is_time(time)):
        return None
    absent = not time, not action, not actor_type, not environment, not event
    shape = flags, outcome, absent, not service, not target_type, not tenant
    if shape not in _fitting and not _fits(shape, text):
        return None
    if len(text) > 1000 and len(text.encode()) > heading.MOST_BYTES:
        return None
    return received, action, outcome


def _is_odd(raw: bytes) -> bool:
    """Whether a text that orjson gives back may still not be canonical."""
    # orjson signs every exponent, and looking for two bytes first is cheaper than a pattern.
    signed = (b"+" in raw and b"e+" in raw) or b"e-" in raw
    return (
        (signed and _EXPONENT.search(raw) is not None)
        or (b".0" in raw and _INTEGRAL.search(raw) is not None)
        or (not raw.isascii() and _BEYOND_BMP.search(raw) is not None)
    )


def _is_time(text: Any) -> bool:
    return (
        type(text) is str
        and len(text) == _TIME
        and text[19] == "."
        and text[29] == "Z"
        and text[20:29].isdigit()
        and text.isascii()
        and _is_second(text[:19])
    )


@lru_cache(4096)
def _is_second(text: str) -> bool:
    try:
        timestamp.parse(f"{text}.000000000Z")
    except ValueError:
        return False
    return True


def _fits(shape: tuple[Any, ...], text: str) -> bool:
    try:
        header.parse(text)
    except (canonical.NotCanonical, heading.NewerVersion):
        return False
    if len(_fitting) < MOST_REMEMBERED:
        _fitting.add(shape)
    return True
