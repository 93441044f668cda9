"""Bearer tokens of senders: kept as digests, compared in constant time, read anew when they change.

A token file has one line for each: role, SHA-256 of the token in hex, name. `#` begins a comment.

    ingest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 payments
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from audit_receiver.errors import ConfigError, Forbidden, Unauthenticated

ROLES = ("ingest", "read")
INGEST = "ingest"
LOOK_SECONDS = 1.0  # how often the file is looked at, at most
_LINE = re.compile(r"(\S+)\s+([0-9a-f]{64})\s+([A-Za-z0-9][A-Za-z0-9._/-]{0,99})")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)  # RFC 6750, 2.1
_PREFIX = "art_"  # so that scanners for secrets can find one that leaked

_log = logging.getLogger(__name__)


class Token(NamedTuple):
    """What is known of a token; never the token itself."""

    name: str
    role: str
    sha256: bytes


class Tokens:
    """The tokens of a file, as it is now."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ConfigError if it cannot be used."""
        self._path = path
        self._stamp = _stamp(path)
        self._known = parse(path)
        self._look_at = 0.0

    def holder(self, authorization: str | None) -> Token:
        """Whose token an Authorization header carries.

        Raises Unauthenticated (none, or an unknown one); Forbidden (one that may not send).
        """
        match = _BEARER.fullmatch(authorization or "")
        if match is None:
            raise Unauthenticated("a bearer token is required: Authorization: Bearer <token>")
        digest = hashlib.sha256(match[1].encode("utf-8", "surrogateescape")).digest()
        found = None
        for token in self._current():  # all of them, however early one fits
            if hmac.compare_digest(token.sha256, digest):
                found = token
        if found is None:
            raise Unauthenticated("the bearer token is not known here")
        if found.role != INGEST:
            raise Forbidden(f"the token {found.name} has the role {found.role} and may not send")
        return found

    def _current(self) -> tuple[Token, ...]:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read_anew()
        return self._known

    def _read_anew(self) -> None:
        """Take the file as it is now; one that cannot be used changes nothing."""
        try:
            self._known = parse(self._path)
        except ConfigError as error:
            _log.error("the tokens stay as they were: %s", error)
        else:
            _log.warning("%s was read anew: %d tokens", self._path, len(self._known))


def parse(path: Path) -> tuple[Token, ...]:
    """The tokens of a file. Raises ConfigError naming file, line and the mend."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{path}: cannot be read as a token file: {exc}. `audit-receiver token NAME` makes the"
            " lines for one"
        ) from exc
    tokens: dict[str, Token] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None or match[1] not in ROLES:
            raise ConfigError(
                f"{path}:{number}: is no token; write `{' or '.join(ROLES)}`, the SHA-256 of the"
                " token in hex, a name, as `audit-receiver token NAME` prints it"
            )
        role, digest, name = match.groups()
        if name in tokens:
            raise ConfigError(f"{path}:{number}: the name {name} is there twice; give each its own")
        tokens[name] = Token(name, role, bytes.fromhex(digest))
    if not tokens:
        raise ConfigError(f"{path}: holds no token; `audit-receiver token NAME` makes one")
    return tuple(tokens.values())


def mint(name: str, role: str) -> tuple[str, str]:
    """A new token of 256 random bits, and its line for the file. Raises ValueError."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    line = f"{role} {hashlib.sha256(secret.encode()).hexdigest()} {name}"
    if _LINE.fullmatch(line) is None or role not in ROLES:
        raise ValueError(f"{name!r} is no name for a token; use letters, digits, . _ / and -")
    return secret, line


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
