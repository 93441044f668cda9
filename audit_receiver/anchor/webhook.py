"""Anchor `webhook`: each checkpoint as JSON to an address of your choice.

The signature is that of Standard Webhooks: whoever receives it can check with that project's
libraries that it came from here and is fresh. An answer of the 200s means kept, unless it is a web
page (a proxy that wants somebody to sign in answers so); 409 means that the receiver holds another
history of this ledger.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import orjson

from audit_receiver.anchor.http import Peer, secret_of, without_query
from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.errors import ConfigError
from audit_receiver.record.timestamp import render

LEAST_SECRET_BYTES = 24  # Standard Webhooks, "Signature scheme"
_PREFIX = "whsec_"
_CONFLICT = 409


class WebhookAnchor:
    """Posts checkpoints.

    Args:
        name: its key in the configuration.
        peer: what answers at the address.
        url: the address, for errors.
        headers: that the receiver asks for.
        token_file: holds a bearer token; read for each request, so that it may be renewed.
        secret_file: holds the signing secret, `whsec_` and base64; read for each request.
        now_unix_nano: our clock; receivers refuse signatures that are minutes old.
    """

    def __init__(
        self,
        name: str,
        peer: Peer,
        url: str,
        headers: Mapping[str, str],
        token_file: Path | None,
        secret_file: Path | None,
        now_unix_nano: Callable[[], int],
    ) -> None:
        """Raises ConfigError if a file is missing or the secret is not one."""
        self.name = name
        self._peer = peer
        self._shown = without_query(url)
        self._headers = {**headers, "Content-Type": "application/json"}
        self._token_file = token_file
        self._secret_file = secret_file
        self._now = now_unix_nano
        _check(token_file, secret_file)

    async def publish(self, published: Published) -> Sequence[Token]:
        """Return once it was answered with one of the 200s. Raises AnchorError."""
        body = content(published)
        headers = dict(self._headers)
        if self._token_file is not None:
            headers["Authorization"] = f"Bearer {await secret_of(self._token_file, 'the token')}"
        if self._secret_file is not None:
            key = _key(await secret_of(self._secret_file, "the signing secret"))
            headers.update(signature(key, message_id(published), self._now() // 10**9, body))
        answer = await self._peer.post(body, headers)
        if answer.status == _CONFLICT:
            raise AnchorError(
                f"{self._shown}: the receiver holds another history: {answer.said()}", conflict=True
            )
        if not answer.is_success:
            raise AnchorError(f"{self._shown}: not kept: {answer.said()}")
        if answer.content_type == "text/html" and answer.body.lstrip().startswith(b"<"):
            raise AnchorError(
                f"{self._shown}: a web page answers, such as one to sign in, and no receiver:"
                f" {answer.said()}"
            )
        return ()

    async def newest(self) -> Sequence[str]:
        """A webhook only takes."""
        return ()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._peer.close()


def content(published: Published) -> bytes:
    """What is posted; the note alone proves it, the rest is for finding it."""
    return orjson.dumps(
        {
            "note": published.note,
            "origin": published.origin,
            "root": published.root.hex(),
            "size": published.size,
            "time": render(published.unix_nano),
        }
    )


def message_id(published: Published) -> str:
    """The same for each attempt at a checkpoint, so that a receiver can leave out repeats."""
    return f"checkpoint_{sha256(published.note.encode()).hexdigest()[:32]}"


def signature(key: bytes, message: str, unix_seconds: int, body: bytes) -> Mapping[str, str]:
    """The three headers of Standard Webhooks, symmetric signature `v1`."""
    signed = f"{message}.{unix_seconds}.".encode() + body
    digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(unix_seconds),
        "webhook-signature": f"v1,{digest}",
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < LEAST_SECRET_BYTES:
        raise AnchorError(
            f"the signing secret should be whsec_ and base64 of at least {LEAST_SECRET_BYTES} bytes"
        )
    return key


def _check(token_file: Path | None, secret_file: Path | None) -> None:
    """Tell at the start of what could never work."""
    for path, what in ((token_file, "token"), (secret_file, "signing secret")):
        if path is None:
            continue
        try:
            text = path.read_text().strip()
            if path == secret_file:
                _key(text)
        except OSError as exc:
            raise ConfigError(f"{path}: the {what} cannot be read: {exc.strerror}") from exc
        except (AnchorError, UnicodeDecodeError) as exc:
            raise ConfigError(
                f"{path}: {exc}; make one with: echo whsec_$(openssl rand -base64 32)"
            ) from exc
