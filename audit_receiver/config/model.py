"""Everything that can be configured, with its default; keys are named as the Collector names them.

Only what works stands here: a key of which nothing comes would be a lie, so unknown keys stop the
start. Every key has a comment in config/audit-receiver.yaml and a section in docs/configuration.md.
"""

from hashlib import sha3_256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Field, field_validator, model_validator

from audit_receiver.config.anchors import DEFAULT_ANCHORS, AnyAnchor, with_types
from audit_receiver.config.endpoint import Endpoint, parse_endpoint, parse_endpoints
from audit_receiver.config.keys import Key
from audit_receiver.config.redact import Redact
from audit_receiver.config.retention import Retention
from audit_receiver.config.section import Section
from audit_receiver.config.values import (
    Duration,
    EndpointField,
    EndpointsField,
    FilePath,
    HeaderName,
    Size,
    UrlPath,
)

MIB = 1 << 20
INT32 = (1 << 31) - 1
Positive = Annotated[int, Field(gt=0, le=INT32)]
# gRPC keeps its limit in bytes in 32 bits.
GrpcMebibytes = Annotated[int, Field(gt=0, le=INT32 // MIB)]
FIELDS = (
    "action",
    "actor",
    "actor_type",
    "field",
    "new",
    "old",
    "outcome",
    "reason",
    "record_id",
    "roles",
    "session_id",
    "source",
    "source_type",
    "target",
    "target_type",
    "tenant",
)


class Tls(Section):
    """Certificates of a door, in PEM; renewed files are served without a restart."""

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"


class Auth(Section):
    """Who may send: the bearers of the tokens in a file."""

    tokens_file: FilePath


Draft = Literal["otep-0267"]  # OpenTelemetry's audit signal; a draft, so it is asked for by name


class Grpc(Section):
    """OTLP/gRPC."""

    endpoint: EndpointsField = parse_endpoints("127.0.0.1:4317")
    max_recv_msg_size_mib: GrpcMebibytes = 64
    audit: Draft | None = None
    tls: Tls | None = None
    auth: Auth | None = None


class Http(Section):
    """OTLP/HTTP."""

    endpoint: EndpointsField = parse_endpoints("127.0.0.1:4318")
    max_request_body_size: Annotated[Size, Field(gt=0)] = 64 * MIB
    traces_url_path: UrlPath = "/v1/traces"
    logs_url_path: UrlPath = "/v1/logs"
    audit: Draft | None = None
    tls: Tls | None = None
    auth: Auth | None = None


class Protocols(Section):
    """Which doors are open: both if `protocols` is absent, else those that are named."""

    grpc: Grpc | None = None
    http: Http | None = None

    @model_validator(mode="before")
    @classmethod
    def _an_empty_door_has_defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: {} if inner is None else inner for name, inner in given.items()}

    @model_validator(mode="after")
    def _one_is_open(self) -> Self:
        if self.grpc is None and self.http is None:
            raise ValueError("no protocol is named; name grpc, http or both, or leave it out")
        return self


ProducerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/=, -]{1,200}$")]


class Limits(Section):
    """What one request, and all of them together, may take."""

    in_flight_bytes: Annotated[Size, Field(gt=0)] = 256 * MIB
    items: Positive = 200_000
    nesting: Annotated[int, Field(gt=0, le=64)] = 64
    queue: Positive = 4096
    deadline: Annotated[Duration, Field(gt=0)] = "4s"  # type: ignore[assignment]


class Otlp(Section):
    """The OTLP receiver."""

    protocols: Protocols = Protocols(grpc=Grpc(), http=Http())
    limits: Limits = Limits()
    record_headers: tuple[HeaderName, ...] = Field(default=("x-audit-pipeline",), strict=False)
    require_headers: tuple[HeaderName, ...] = Field(default=(), strict=False)
    producer_keys: dict[ProducerName, FilePath] = Field(default_factory=dict)
    allow_insecure_bind: bool = False


class Receivers(Section):
    """What receives."""

    otlp: Otlp = Otlp()


Globs = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class Select(Section):
    """Which records are audit: globs over attribute keys and over event, span and scope names."""

    attributes: Globs = ("audit.*",)
    except_: Globs = Field(default=("audit.integrity.*",), alias="except")
    names: Globs = ("audit", "audit.*")

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if not self.attributes and not self.names:
            raise ValueError("nothing would be selected; give attributes, names or both")
        return self


class Ledger(Section):
    """The ledger file."""

    path: FilePath = Path("./audit-data/ledger.db")
    create: Literal["if_missing", "never"] = "if_missing"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~/-]{0,180}$")] = ""
    key: Key | None = None
    key_rotation: Duration = "24h"  # type: ignore[assignment]
    heartbeat: Annotated[Duration, Field(ge=1, le=3600)] = "60s"  # type: ignore[assignment]
    disk_reserve: Size = 256 * MIB
    drain: Duration = "10s"  # type: ignore[assignment]


class Checkpoints(Section):
    """When signed tree heads are published."""

    interval: Annotated[Duration, Field(ge=1)] = "10s"  # type: ignore[assignment]
    records: Positive = 1000


class SelfCheck(Section):
    """How often the service has its own ledger verified; 0s: never."""

    interval: Duration = "1h"  # type: ignore[assignment]
    full: Duration = "24h"  # type: ignore[assignment]


class Listen(Section):
    """A read-only endpoint of our own."""

    endpoint: EndpointField


class Logs(Section):
    """Our own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Telemetry(Section):
    """What the service tells about itself; null switches an endpoint off."""

    health: Listen | None = Listen(endpoint=parse_endpoint("127.0.0.1:13133"))
    metrics: Listen | None = Listen(endpoint=parse_endpoint("127.0.0.1:8888"))
    logs: Logs = Logs()


class Config(Section):
    """A whole configuration."""

    receivers: Receivers = Receivers()
    select: Select = Select()
    fields: dict[Literal[FIELDS], Globs] = Field(default_factory=dict)  # type: ignore[valid-type]
    redact: Redact = Redact()
    retention: Retention = Retention()
    ledger: Ledger = Ledger()
    checkpoints: Checkpoints = Checkpoints()
    anchors: dict[str, AnyAnchor] = DEFAULT_ANCHORS
    self_check: SelfCheck = SelfCheck()
    telemetry: Telemetry = Telemetry()

    @field_validator("anchors", mode="before")
    @classmethod
    def _anchors_by_type(cls, given: Any) -> Any:
        return with_types(given)

    def endpoints(self) -> list[tuple[str, Endpoint]]:
        """Every endpoint with its key."""
        protocols, telemetry = self.receivers.otlp.protocols, self.telemetry
        doors = {
            "receivers.otlp.protocols.grpc.endpoint": protocols.grpc,
            "receivers.otlp.protocols.http.endpoint": protocols.http,
        }
        own = {
            "telemetry.health.endpoint": telemetry.health,
            "telemetry.metrics.endpoint": telemetry.metrics,
        }
        return [
            *((key, one) for key, door in doors.items() if door for one in door.endpoint),
            *((key, listen.endpoint) for key, listen in own.items() if listen is not None),
        ]

    def public(self) -> dict[str, Any]:
        """The configuration as the ledger's `config` entries state it; it holds no secrets yet."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=False)

    def digest(self) -> str:
        """SHA3-256 of the public form as sorted JSON, lower-case hex."""
        return sha3_256(orjson.dumps(self.public(), option=orjson.OPT_SORT_KEYS)).hexdigest()
