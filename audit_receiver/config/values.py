"""The kinds of value that a configuration is written in: durations, sizes, endpoints."""

import ipaddress
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?\Z")
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB)?\Z")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
LOCALHOST = "localhost"


def parse_duration(value: object) -> float:
    """Seconds from "60s", "1m30s", "100ms", "1h". Raises ValueError."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{value!r} is no duration; write 60s, 1m30s or 100ms")
    hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + millis / 1000


def render_duration(seconds: float) -> str:
    """Seconds as a duration is written."""
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{int(seconds)}s"


def parse_size(value: object) -> int:
    """Bytes from 268435456 or "256MiB". Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no size; write bytes as a number, or 256MiB")
    return int(match[1]) * _UNITS[match[2] or "B"]


class Endpoint(BaseModel):
    """Where to listen: a host (name or address) and a port; port 0 lets the system choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == LOCALHOST:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_endpoint(value: object) -> Endpoint:
    """An endpoint from "127.0.0.1:4318", "localhost:4318", "[::]:4318". Raises ValueError."""
    if isinstance(value, Endpoint):
        return value
    text = value if isinstance(value, str) else ""
    if "://" in text:
        raise ValueError(f"{value!r} is a URL; write host:port")
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not colon or not port.isascii() or not port.isdigit() or not host:
        raise ValueError(f"{value!r} is no endpoint; write host:port, for example 127.0.0.1:4318")
    if ":" in host and not bracketed:
        raise ValueError(f"{value!r}: write an IPv6 address in brackets, for example [::1]:4318")
    if int(port) > 65535:
        raise ValueError(f"{value!r}: a port is at most 65535")
    return Endpoint(host=host, port=int(port))


def _schema(kind: Any, *examples: object) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, "examples": list(examples)})


Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    PlainSerializer(render_duration),
    _schema("string", "60s", "1m30s", "100ms"),
]
Size = Annotated[
    int, PlainValidator(parse_size), _schema(["integer", "string"], 268435456, "256MiB")
]
EndpointField = Annotated[
    Endpoint, PlainValidator(parse_endpoint), PlainSerializer(str), _schema("string", "[::1]:4318")
]
