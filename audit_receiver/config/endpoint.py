"""Where to listen: a host and a port or a Unix socket, and which two cannot both be had."""

import ipaddress
import re

from pydantic import BaseModel, ConfigDict

LOCALHOST = "localhost"
UNIX = "unix:"
MOST_PATH_BYTES = 107  # sockaddr_un (unix(7))
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)\Z")


class Endpoint(BaseModel):
    """Where to listen: a host (name or address) and a port, or the path of a Unix socket.

    Port 0 lets the system choose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        if self.path:
            return True
        address = _address(self.host)
        return self.host.lower() == LOCALHOST if address is None else address.is_loopback

    def overlaps(self, other: "Endpoint") -> bool:
        """Whether both cannot be listened on: one port, and one host or all hosts.

        All addresses of one family count as those of the other too, because gRPC opens both.
        """
        if self.path or other.path:
            return self.path == other.path
        if self.port != other.port or self.port == 0:
            return False
        hosts = [self.host.lower(), other.host.lower()]
        addresses = [_address(host) for host in hosts]
        if any(address is not None and address.is_unspecified for address in addresses):
            return True
        if LOCALHOST in hosts:
            return all(
                host == LOCALHOST or str(address) in ("127.0.0.1", "::1")
                for host, address in zip(hosts, addresses, strict=True)
            )
        if None in addresses:
            return hosts[0] == hosts[1]
        return addresses[0] == addresses[1]


def parse_endpoint(value: object) -> Endpoint:
    """An endpoint from "127.0.0.1:4318", "localhost:4318", "[::]:4318", "unix:/run/otlp.sock".

    Raises ValueError.
    """
    if isinstance(value, Endpoint):
        return value
    text = value if isinstance(value, str) else ""
    if text.startswith(UNIX):
        return _unix(text)
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
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"{value!r}: a port is at most 65535; write a smaller one")
    if bracketed and not isinstance(_address(host, mapped=False), ipaddress.IPv6Address):
        raise ValueError(f"{value!r}: [{host}] is no IPv6 address; write for example [::1]:{port}")
    if not bracketed and not _is_host(host):
        raise ValueError(
            f"{value!r}: {host} is neither a name nor an address; write for example"
            f" 127.0.0.1:{port}, or 0.0.0.0:{port} for every address of this machine"
        )
    return Endpoint(host=host, port=int(port))


def parse_endpoints(value: object) -> tuple[Endpoint, ...]:
    """One endpoint, or a list of them. Raises ValueError."""
    if not isinstance(value, list | tuple):
        return (parse_endpoint(value),)
    if not value:
        raise ValueError("an empty list; name an endpoint, for example 127.0.0.1:4318")
    return tuple(map(parse_endpoint, value))


def render_endpoints(endpoints: tuple[Endpoint, ...]) -> str | list[str]:
    """Endpoints as they are written."""
    texts = [str(endpoint) for endpoint in endpoints]
    return texts[0] if len(texts) == 1 else texts


def _unix(text: str) -> Endpoint:
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError(f"{text!r} is no Unix socket; write unix:/run/audit-receiver/otlp.sock")
    if len(path.encode("utf-8", "surrogateescape")) > MOST_PATH_BYTES:
        raise ValueError(f"{text!r}: a socket's path has at most {MOST_PATH_BYTES} bytes")
    return Endpoint(path=path)


def _is_host(host: str) -> bool:
    """A name, or an IPv4 address in its usual form: what ends in a number is meant as one."""
    labels = host.removesuffix(".").split(".")
    if _NUMBER.match(labels[-1]):
        return _address(host) is not None
    return len(host) <= 253 and all(_LABEL.match(label) for label in labels)


def _address(
    host: str, mapped: bool = True
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, with IPv4 in its own form where IPv6 maps it; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    inner = getattr(address, "ipv4_mapped", None) if mapped else None
    return address if inner is None else inner
