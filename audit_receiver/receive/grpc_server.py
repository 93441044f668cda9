"""OTLP/gRPC: TraceService and LogsService over raw bytes, so that we decode and not grpcio.

A generated servicer would answer INTERNAL to bytes that are not protobuf and UNKNOWN to an
exception, and a sender drops its data at both.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from audit_receiver.errors import SenderError, ShuttingDown
from audit_receiver.otlp import receipt, status
from audit_receiver.otlp.codec import Limits
from audit_receiver.otlp.status import Answer
from audit_receiver.receive import audit, listening
from audit_receiver.receive.admission import Admission
from audit_receiver.receive.audit import Way
from audit_receiver.receive.intake import Delivered, Intake
from audit_receiver.receive.listening import Place
from audit_receiver.receive.refusals import Refusal
from audit_receiver.telemetry import REQUESTS

SERVICES: dict[str, Way] = {
    logs_service_pb2.DESCRIPTOR.services_by_name["LogsService"].full_name: "logs",
    trace_service_pb2.DESCRIPTOR.services_by_name["TraceService"].full_name: "traces",
}
METHODS: dict[Way, str] = {
    **{way: f"/{service}/Export" for service, way in SERVICES.items()},
    "audit": audit.METHOD,
}
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # or a second server would quietly share our port
    # Clients that ping for keep-alive more often than every 5 minutes are no attackers. Without a
    # limit to strikes the options that say what a strike is decide nothing.
    ("grpc.http2.max_ping_strikes", 0),
)
_SUCCEEDED = REQUESTS.labels("grpc", "OK")
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Handler = Callable[[bytes, Any], Awaitable[bytes]]
Refuse = Callable[..., Awaitable[bytes]]  # method, answer, context, the error if there is one


class GrpcServer:
    """The gRPC door."""

    def __init__(
        self,
        intake: Intake,
        limits: Limits,
        admission: Admission,
        tls: Any = None,
        serves_audit: bool = False,
    ) -> None:
        """`tls` are grpc.ServerCredentials, None for a door without TLS."""
        self._intake = intake
        self._limits = limits
        self._admission = admission
        self._tls = tls
        self._sockets: list[str] = []
        self._closing = False
        self._health = HealthServicer()
        options = (*_OPTIONS, ("grpc.max_receive_message_length", limits.max_bytes))
        self._server = grpc.aio.server(options=options)
        exports = _Exports(self._export, admission, self._refuse, serves_audit)
        self._server.add_generic_rpc_handlers((exports,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        served = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*served, reflection.SERVICE_NAME), self._server)
        self._server.add_generic_rpc_handlers((_Unserved(self._refuse),))  # asked last

    async def start(self, places: Sequence[Place]) -> list[Place]:
        """Listen; returns where. Raises OSError if one of the places cannot be had."""
        bound = [self._listen(place) for place in places]
        await self._server.start()
        for path in self._sockets:
            listening.open_to_group(path)
        await self.set_serving(True)
        return bound

    def _listen(self, place: Place) -> Place:
        address = f"[{place.host}]:{place.port}" if ":" in place.host else f"{place[0]}:{place[1]}"
        if place.path:
            listening.clear(place.path)
            address = f"unix:{place.path}"
        try:
            port: int = (
                self._server.add_insecure_port(address)
                if self._tls is None
                else self._server.add_secure_port(address, self._tls)
            )
        except RuntimeError as exc:
            raise OSError(f"{address} cannot be bound: it is in use or not ours") from exc
        if place.path:
            self._sockets.append(place.path)
            return place
        return place._replace(port=port)

    async def set_serving(self, serving: bool) -> None:
        """What the health service says of all services."""
        state = _SERVING if serving else _NOT_SERVING
        for name in ("", *SERVICES):
            await self._health.set(name, state)

    async def stop(self, drain_seconds: float) -> None:
        """Stop accepting, let requests in flight end."""
        self._closing = True
        await self._health.enter_graceful_shutdown()
        await self._server.stop(drain_seconds)
        for path in self._sockets:
            listening.remove(path)

    async def _export(self, way: Way, body: bytes, context: Any) -> bytes:
        try:
            if self._closing:
                raise ShuttingDown("the service is stopping; send again")
            shown = _certificate(context) if self._admission.asks_for_certificates else None
            peer = self._admission.admit(dict(context.invocation_metadata() or ()), shown)
            with self._intake.budget.share() as share:
                share.grow(len(body))
                delivered = Delivered(
                    audit.signal_of(way),
                    "protobuf",
                    body,
                    None,
                    peer,
                    self._limits,
                    way == "audit",
                )
                outcome = await self._intake.receive(delivered, share)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return await self._refuse(METHODS[way], status.answer(error), context, error)
        context.set_trailing_metadata(((receipt.GRPC_METADATA, outcome.receipt),))
        _SUCCEEDED.inc()
        return audit.answer("protobuf", outcome) if way == "audit" else b""

    async def _refuse(
        self, method: str, answer: Answer, context: Any, error: BaseException | None = None
    ) -> bytes:
        """The answer that is not a success, counted and told."""
        code, message, trailers = status.grpc_error(answer)
        self._intake.refusals.tell(
            Refusal("grpc", code, _address(context.peer()), method, answer.message, error)
        )
        await context.abort(getattr(grpc.StatusCode, code), message, trailing_metadata=trailers)
        raise AssertionError("abort raises")


class _Exports(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Routes `/<service>/Export` to the one handler, bytes in and bytes out.

    A stranger is refused before grpcio reads, and inflates, the message.
    """

    def __init__(
        self,
        export: Callable[[Way, bytes, Any], Awaitable[bytes]],
        admission: Admission,
        refuse: Refuse,
        serves_audit: bool,
    ) -> None:
        self._admission = admission
        self._refuse = refuse
        self._handlers = {
            method: grpc.unary_unary_rpc_method_handler(_for(way, export))
            for way, method in METHODS.items()
            if way != "audit" or serves_audit
        }

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None or not self._admission.asks:
            return handler
        try:
            self._admission.admit(dict(handler_call_details.invocation_metadata or ()))
        except SenderError as error:
            refused = partial(_stranger, self._refuse, method, error)
            return grpc.stream_stream_rpc_method_handler(refused)
        return handler


async def _stranger(refuse: Refuse, method: str, error: Exception, _: Any, context: Any) -> None:
    await refuse(method, status.answer(error), context, error)


def _for(way: Way, export: Callable[[Way, bytes, Any], Awaitable[bytes]]) -> Handler:
    async def handler(body: bytes, context: Any) -> bytes:
        return await export(way, body, context)

    return handler


class _Unserved(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Says what is served, where grpcio would only say that this is not."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def service(self, handler_call_details: Any) -> Any:
        handler = partial(self._handle, handler_call_details.method)
        return grpc.stream_stream_rpc_method_handler(handler)  # which serves the other kinds too

    async def _handle(self, method: str, _: Any, context: Any) -> None:
        words = f"nothing is served at {method[:100]!r}; OTLP/gRPC is at {', '.join(SERVICES)}"
        await self._refuse(method, Answer(404, "UNIMPLEMENTED", words), context)


def _certificate(context: Any) -> bytes | None:
    """The certificate that the client has shown, in PEM, which TLS has verified."""
    shown: list[bytes] = context.auth_context().get("x509_pem_cert") or []
    return shown[0] if shown else None


def _address(peer: str) -> str:
    """The address in `ipv4:10.0.0.7:51234` or `ipv6:%5B::1%5D:51234`; `unix` of `unix:`."""
    family, _, place = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return family
    return unquote(place.rpartition(":")[0]).strip("[]")
