"""Anchor `otlp`: each checkpoint as a log record to the observability backend that you have anyway.

Its access rules and its retention differ from those of the ledger's machine: whoever rewrites the
ledger would have to rewrite the backend too.
"""

import gzip
from collections.abc import Mapping, Sequence
from typing import Literal

import audit_receiver
from audit_receiver.anchor.http import Peer, without_query
from audit_receiver.anchor.model import AnchorError, Published, Token
from audit_receiver.otlp import checkpoint

LOGS_PATH = "/v1/logs"


class OtlpAnchor:
    """Exports checkpoints over OTLP/HTTP with protobuf.

    Args:
        name: its key in the configuration.
        peer: what answers at the endpoint.
        endpoint: its address without `/v1/logs`, for errors.
        compression: of requests, in the Collector's words.
        headers: that the backend asks for, such as its API key.
    """

    def __init__(
        self,
        name: str,
        peer: Peer,
        endpoint: str,
        compression: Literal["gzip", "none"],
        headers: Mapping[str, str],
    ) -> None:
        self.name = name
        self._peer = peer
        self._shown = without_query(endpoint)
        self._gzip = compression == "gzip"
        self._headers = {**headers, "Content-Type": "application/x-protobuf"}
        if self._gzip:
            self._headers["Content-Encoding"] = "gzip"

    async def publish(self, published: Published) -> Sequence[Token]:
        """Return once the backend took it, rejecting nothing. Raises AnchorError."""
        body = checkpoint.export_request(audit_receiver.__version__, *published)
        sent = gzip.compress(body, mtime=0) if self._gzip else body
        answer = await self._peer.post(sent, self._headers, LOGS_PATH)
        if not answer.is_success:
            raise AnchorError(f"{self._shown}: not kept: {answer.said()}")
        reason = checkpoint.not_kept(answer.content_type, answer.body)
        if reason is not None:
            raise AnchorError(f"{self._shown}: not kept: {reason}")
        return ()

    async def newest(self) -> Sequence[str]:
        """A backend is searched by people; OTLP only takes."""
        return ()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._peer.close()
