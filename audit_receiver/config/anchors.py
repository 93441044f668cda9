"""Where checkpoints go: `anchors` is a map of `type` or `type/name`, as the Collector names things.

A new anchor has its section here, its line in KINDS, and is built in audit_receiver/anchors.py.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from audit_receiver.config.section import Section
from audit_receiver.config.values import Duration, FilePath, Secret, SentHeader, Url
from audit_receiver.tlog.cosignature import CosignerKey
from audit_receiver.tlog.note import NoteError

MOST_WITNESSES = 32  # what C2SP tlog-policy asks everybody to take


class AnchorSection(Section):
    """What every anchor can be told.

    max_lag: with records that this anchor has not covered for so long, nothing more is taken until
    it has (0: it never holds ingestion back). timeout: of one attempt.
    """

    max_lag: Duration = "0s"  # type: ignore[assignment]
    timeout: Annotated[Duration, Field(gt=0)] = "10s"  # type: ignore[assignment]


class Stdout(AnchorSection):
    """A JSON line on standard output, which the platform's log pipeline carries away."""

    type: Literal["stdout"] = Field(default="stdout", exclude=True)


class File(AnchorSection):
    """Appended to a file, best on another volume."""

    type: Literal["file"] = Field(default="file", exclude=True)
    path: FilePath = Path("./audit-anchor/checkpoints.txt")


def parse_cosigner(value: object) -> str:
    """A witness's verifier key, as it prints it. Raises ValueError."""
    try:
        return str(CosignerKey.parse(value.strip() if isinstance(value, str) else ""))
    except NoteError as exc:
        raise ValueError(f"{exc}; copy the `verifier key` that the witness prints") from exc


class ClientTls(Section):
    """Whom we trust outside, in PEM; without it the system's authorities."""

    ca_file: FilePath | None = None


class Outside(AnchorSection):
    """An anchor that is reached over HTTP."""

    headers: dict[SentHeader, Secret] = Field(default_factory=dict)
    tls: ClientTls | None = None

    @property
    def tls_ca_file(self) -> Path | None:
        """The authorities that its certificate must chain to, if not the system's."""
        return self.tls.ca_file if self.tls else None


class Timestamp(Outside):
    """An RFC 3161 authority's signed time, once an interval."""

    type: Literal["timestamp"] = Field(default="timestamp", exclude=True)
    url: Url
    ca_file: FilePath
    interval: Annotated[Duration, Field(ge=1)] = "1h"  # type: ignore[assignment]
    hash: Literal["sha256", "sha512"] = "sha256"


class OtlpBackend(Outside):
    """A log record to an observability backend, over OTLP/HTTP."""

    type: Literal["otlp"] = Field(default="otlp", exclude=True)
    endpoint: Url
    compression: Literal["gzip", "none"] = "gzip"


class Webhook(Outside):
    """JSON to an address of your own."""

    type: Literal["webhook"] = Field(default="webhook", exclude=True)
    url: Url
    token_file: FilePath | None = None
    secret_file: FilePath | None = None


class WitnessPlace(Section):
    """One witness: where it takes checkpoints, and the key that it prints."""

    url: Url
    vkey: Annotated[str, PlainValidator(parse_cosigner)]
    monitoring_url: Url | None = None

    @property
    def key(self) -> CosignerKey:
        """The key, as a value."""
        return CosignerKey.parse(self.vkey)


class Witness(AnchorSection):
    """Cosignatures of witnesses (C2SP tlog-witness)."""

    type: Literal["witness"] = Field(default="witness", exclude=True)
    witnesses: Annotated[tuple[WitnessPlace, ...], Field(strict=False)]
    quorum: Annotated[int, Field(ge=1)] | None = None
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if not 1 <= len(self.witnesses) <= MOST_WITNESSES:
            raise ValueError(f"name 1 to {MOST_WITNESSES} witnesses, each with its url and vkey")
        if len({place.key.public for place in self.witnesses}) < len(self.witnesses):
            raise ValueError("two witnesses have one key; name each witness once")
        if self.needed > len(self.witnesses):
            raise ValueError(
                f"quorum is {self.needed} of {len(self.witnesses)} witnesses; name more of them, or"
                " ask for fewer"
            )
        return self

    @property
    def needed(self) -> int:
        """How many have to cosign: what was asked for, else more than half."""
        return self.quorum or len(self.witnesses) // 2 + 1

    @property
    def tls_ca_file(self) -> Path | None:
        """The authorities of their certificates, if not the system's."""
        return self.tls.ca_file if self.tls else None


class ObjectStore(AnchorSection):
    """Checkpoints, and the log, in a bucket under S3 Object Lock."""

    type: Literal["object_store"] = Field(default="object_store", exclude=True)
    url: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[!-~]*)?$")]
    endpoint_url: Url | None = None
    region: str | None = None
    retention: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}d$")]
    content: Literal["log", "checkpoints"] = "log"
    bodies: bool = False
    log_interval: Duration = "60s"  # type: ignore[assignment]
    timeout: Annotated[Duration, Field(gt=0)] = "60s"  # type: ignore[assignment]

    @property
    def retention_seconds(self) -> float:
        """How long each object is locked."""
        return int(self.retention.removesuffix("d")) * 86_400.0


KINDS: dict[str, type[AnchorSection]] = {
    "stdout": Stdout,
    "file": File,
    "timestamp": Timestamp,
    "otlp": OtlpBackend,
    "webhook": Webhook,
    "witness": Witness,
    "object_store": ObjectStore,
}
AnyAnchor = Annotated[
    Stdout | File | Timestamp | OtlpBackend | Webhook | Witness | ObjectStore,
    Field(discriminator="type"),
]
DEFAULT_ANCHORS: Any = {"stdout": Stdout(), "file": File()}


def kind(name: str) -> str:
    """The type of an anchor by its name: `witness` of `witness/auditor`."""
    return name.partition("/")[0]


def with_types(given: Any) -> Any:
    """Write each anchor's type, which its name says, into its section. Raises ValueError."""
    if not isinstance(given, dict):
        return given
    typed = {}
    for name, section in given.items():
        if kind(str(name)) not in KINDS:
            known = ", ".join(KINDS)
            raise ValueError(f"{name} is no anchor; write one of {known}, or such a type/name")
        if isinstance(section, dict) and "type" in section:
            raise ValueError(f"{name}: its type is the first part of its name; leave out `type`")
        if isinstance(section, dict | None):
            section = {**(section or {}), "type": kind(name)}
        typed[name] = section
    return typed
