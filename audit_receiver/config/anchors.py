"""Where checkpoints go: `anchors` is a map of `type` or `type/name`, as the Collector names things.

A new anchor has its section here, its line in KINDS, and is built in audit_receiver/anchors.py.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audit_receiver.config.section import Section
from audit_receiver.config.values import Duration, FilePath, Secret, SentHeader, Url


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


KINDS: dict[str, type[AnchorSection]] = {
    "stdout": Stdout,
    "file": File,
    "timestamp": Timestamp,
    "otlp": OtlpBackend,
    "webhook": Webhook,
}
AnyAnchor = Annotated[
    Stdout | File | Timestamp | OtlpBackend | Webhook, Field(discriminator="type")
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
