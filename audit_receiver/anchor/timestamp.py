"""Anchor `timestamp`: an RFC 3161 authority signs, with its own clock, that a note existed.

The authority keeps nothing; what is kept is its token, in the ledger. It proves that the history up
to there existed by then: an operator who rewrites it later cannot get a token of the past. One
token in each interval is enough, since a later one covers all that came before it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from audit_receiver.anchor.http import Peer, without_query
from audit_receiver.anchor.model import AnchorError, NotDue, Published, Token
from audit_receiver.errors import ConfigError, LedgerError
from audit_receiver.record.timestamp import render
from audit_receiver.verify import der, rfc3161

KIND = "timestamp"
MOST_APART_SECONDS = 300  # between the authority's clock and ours
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}

_log = logging.getLogger(__name__)


class Last(NamedTuple):
    """The newest stamp that holds: of which size, and when it was taken."""

    size: int
    unix_nano: int


class TimestampAnchor:
    """Asks an authority for a token of each interval's first checkpoint, and verifies it.

    Args:
        name: its key in the configuration.
        peer: where the authority answers.
        url: its address, for errors.
        ca_file: PEM of the roots that a token must chain to.
        interval_seconds: between two tokens; checkpoints in between need none.
        hash_name: what the authority is shown of the note.
        headers: that the authority asks for.
        now_unix_nano: our clock.
        newest_token: (size, token) that the ledger holds, asked once: a restart needs no new one.
    """

    def __init__(
        self,
        name: str,
        peer: Peer,
        url: str,
        ca_file: Path,
        interval_seconds: float,
        hash_name: Literal["sha256", "sha512"],
        headers: Mapping[str, str],
        now_unix_nano: Callable[[], int],
        newest_token: Callable[[], tuple[int, bytes] | None],
    ) -> None:
        """Raises ConfigError if the extra is not installed or `ca_file` cannot be used."""
        self.name = name
        self._peer = peer
        self._shown = without_query(url)
        self._library = rfc3161.library()
        self._roots = rfc3161.trusted(_content(ca_file))
        self._interval_nano = round(interval_seconds * 1e9)
        self._hash = self._library.HashAlgorithm[hash_name.upper()]
        self._headers = {**headers, **_HEADERS}
        self._now = now_unix_nano
        self._newest_token = newest_token
        self._asked = False
        self.last: Last | None = None

    async def publish(self, published: Published) -> Sequence[Token]:
        """A verified token. Raises NotDue within the interval, AnchorError."""
        if not self._asked:
            await asyncio.to_thread(self._remember)
            self._asked = True
        if self.last and 0 <= published.unix_nano - self.last.unix_nano < self._interval_nano:
            said = f"the last time stamp covers the history of {self.last.size} entries"
            raise NotDue(said, self.last.size)
        request = (
            self._library.TimestampRequestBuilder()
            .data(published.note.encode())
            .hash_algorithm(self._hash)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        answer = await self._peer.post(request.as_bytes(), self._headers)
        if answer.status != 200:
            raise AnchorError(f"{self._shown}: no time stamp: {answer.said()}")
        try:
            found = rfc3161.stamp(answer.body, published.note, self._roots, request.nonce)
        except ValueError as exc:
            raise AnchorError(f"{self._shown}: the time stamp does not hold: {exc}") from exc
        self._compare_clocks(found)
        self.last = Last(published.size, published.unix_nano)
        return (Token(KIND, answer.body),)

    async def newest(self) -> Sequence[str]:
        """An authority keeps nothing that could be asked for."""
        return ()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._peer.close()

    def _remember(self) -> None:
        try:
            found = self._newest_token()
            if found is not None:
                self.last = Last(found[0], der.gen_time(found[1]))
        except (LedgerError, ValueError) as exc:  # then a new one is taken, which is better
            _log.warning("%s: the ledger's last time stamp cannot be read: %s", self.name, exc)

    def _compare_clocks(self, found: rfc3161.Stamp) -> None:
        apart = (found.unix_nano - self._now()) / 1e9
        if abs(apart) > MOST_APART_SECONDS:
            raise AnchorError(
                f"{self._shown}: the authority's clock says {render(found.unix_nano)}, which is"
                f" {abs(apart):.0f} s {'after' if apart > 0 else 'before'} ours; one of the two is"
                " wrong. Check this machine's clock"
            )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"{path}: {exc.strerror}. Name a PEM file with root certificates"
        ) from exc
