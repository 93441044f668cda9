"""The kinds of value that a configuration is written in: durations, sizes, paths, header names."""

import re
from hashlib import sha3_256
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from audit_receiver.config.endpoint import (
    Endpoint,
    parse_endpoint,
    parse_endpoints,
    render_endpoints,
)

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?\Z")
_SIZE = re.compile(r"(\d{1,18})\s*(B|KiB|MiB|GiB|TiB)?\Z")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")  # RFC 9110, section 5.6.2
_CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "x-api-key"}
)
_LONGEST_NAME = 240  # of the 255 bytes of most file systems; SQLite appends -journal
LONGEST = 86_400.0
LARGEST = 1 << 50


def parse_duration(value: object) -> float:
    """Seconds from "60s", "1m30s", "100ms", "1h". Raises ValueError."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{_short(value)} is no duration; write 60s, 1m30s or 100ms")
    hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds + millis / 1000
    if total > LONGEST:
        raise ValueError(f"{_short(value)} is over a day; write at most 24h")
    return total


def render_duration(seconds: float) -> str:
    """Seconds as a duration is written."""
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{int(seconds)}s"


def parse_size(value: object) -> int:
    """Bytes from 268435456 or "256MiB". Raises ValueError."""
    size = -1
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.match(value)):
        size = int(match[1]) * _UNITS[match[2] or "B"]
    if size < 0:
        raise ValueError(f"{_short(value)} is no size; write bytes as a number, or 256MiB")
    if size > LARGEST:
        raise ValueError(f"{_short(value)} is over 1024TiB; write bytes as a number, or 256MiB")
    return size


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_path(value: object) -> Path:
    """The path of a file, which need not be there yet. Raises ValueError."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no path; name a file, for example ./audit-data/ledger.db")
    if any(ord(character) < 32 or character == "\x7f" for character in value):
        raise ValueError(f"{value!r} holds control characters; name a file without them")
    path = Path(value)
    if value.endswith(("/", "/.")) or path.name in ("", ".", ".."):
        raise ValueError(f"{value!r} is a directory; name a file in it, as in {path / 'ledger.db'}")
    if len(path.name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        raise ValueError(
            f"{path.name[:20]!r}... is over {_LONGEST_NAME} bytes; take a shorter name"
        )
    return path


def parse_header(value: object) -> str:
    """The name of a request header that may be kept with records, in lower case."""
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise ValueError(f"{value!r} is no header name; write it as in x-audit-pipeline")
    name = value.lower()
    if name in _CREDENTIALS:
        raise ValueError(
            f"{name} carries credentials, which would stand in the ledger for ever; take it out"
        )
    if name.endswith("-bin"):
        raise ValueError(
            f"{name}: in gRPC such a name carries bytes and no text; send the text under a name"
            " without -bin"
        )
    return name


def parse_url(value: object) -> str:
    """The address of a service outside, http:// or https://. Raises ValueError."""
    text = value if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]{1,2000}", text):
        raise ValueError("this is no address; write it as in https://audit.example.com/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address holds a user or password; give credentials in their own keys")
    if parts.fragment:
        raise ValueError("the address has a fragment (#), which is never sent; take it out")
    return text


def render_url(url: str) -> str:
    """An address as the ledger states it: of a query, which may be a secret, its digest."""
    head, mark, query = url.partition("?")
    return head + mark + (_digest(query) if mark else "")


def parse_secret(value: object) -> str:
    """A header's value, maybe a credential: the ledger states its digest. Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]{1,8000}", value):
        raise ValueError("a header's value is printable ASCII; quote it if it is a number")
    return value


def _digest(secret: str) -> str:
    return f"sha3-256:{sha3_256(secret.encode()).hexdigest()}"


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
EndpointsField = Annotated[
    tuple[Endpoint, ...],
    PlainValidator(parse_endpoints),
    PlainSerializer(render_endpoints),
    _schema(["string", "array"], "127.0.0.1:4318", ["127.0.0.1:4318", "[::1]:4318"]),
]
UrlPath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$", max_length=200)]
FilePath = Annotated[
    Path,
    PlainValidator(parse_path),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "format": "path"}),
]
HeaderName = Annotated[
    str,
    PlainValidator(parse_header),
    WithJsonSchema({"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"}),
]
# The names of headers that we send: credentials among them, unlike those that are recorded.
SentHeader = Annotated[str, Field(pattern="^" + _TOKEN.pattern.replace("\\Z", "$"))]
Secret = Annotated[
    str,
    PlainValidator(parse_secret),
    PlainSerializer(_digest, when_used="json"),
    _schema("string", "${env:API_KEY}"),
]
Url = Annotated[
    str,
    PlainValidator(parse_url),
    PlainSerializer(render_url, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^https?://"}),
]
