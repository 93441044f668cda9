"""The beginning of a request that cannot be decoded, as far as it may be kept."""

import zlib

from audit_receiver.record.redact import Matcher

EVIDENCE_BYTES = 4096
MOST_LOOKED_AT = 1 << 18  # of what these bytes inflate to; with more of it they are left out
_WINDOWS = {"gzip": (31,), "zlib": (15,), "deflate": (15, -15)}  # RFC 9110 has it wrapped


def head(body: bytes, coding: str | None, matcher: Matcher | None) -> bytes | None:
    """The first bytes; None if something in them would have been redacted, or nobody can tell.

    Args:
        body: the request as it came.
        coding: its Content-Encoding.
        matcher: the rules of redaction, None if there are none.
    """
    begin = body[:EVIDENCE_BYTES]
    if matcher is None:
        return begin
    plain = _plain(begin, (coding or "identity").strip().lower())
    if plain is None or matcher.finds_in(begin) or matcher.finds_in(plain):
        return None
    return begin


def _plain(begin: bytes, coding: str) -> bytes | None:
    """What these bytes say; None for codings that are not looked into, and for what unfolds."""
    if coding in ("", "identity"):
        return begin
    for window in _WINDOWS.get(coding, ()):
        decoder = zlib.decompressobj(window)
        try:
            plain = decoder.decompress(begin, MOST_LOOKED_AT)
        except zlib.error:
            continue
        return None if decoder.unconsumed_tail else plain
    return begin if coding in _WINDOWS else None  # what is no stream at all says what it says
