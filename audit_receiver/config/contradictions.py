"""Where single keys are right and together, or on this machine, are not."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from audit_receiver.config import anchors
from audit_receiver.config.endpoint import Endpoint
from audit_receiver.config.keys import Elsewhere, file_of
from audit_receiver.config.model import MIB, Config

# The files beside a ledger, which are named after it; a test holds them against the ledger's own.
TAKEN = frozenset({".key", ".vkey", ".logkey", ".dedup", ".redact", ".lock", ".sock", ".creating"})
_OTLP = "receivers.otlp"
_INSECURE = f"{_OTLP}.allow_insecure_bind"


class Contradiction(NamedTuple):
    """What is wrong and the mend, told at `key`; it follows from the values of all `keys`."""

    key: str
    what: str
    keys: tuple[str, ...]


def find(config: Config) -> list[Contradiction]:
    """Every contradiction of the configuration."""
    return [
        *_shared_ports(config),
        *_open_doors(config),
        *_tls(config),
        *_budget(config),
        *_files(config),
        *_own_door(config),
        *_lag(config),
        *_rotation(config),
    ]


def _shared_ports(config: Config) -> Iterator[Contradiction]:
    for (first, one), (second, other) in combinations(config.endpoints(), 2):
        if one.overlaps(other):
            said = f"{other} is taken by {first} ({one}); give each its own port"
            yield Contradiction(second, said, (first, second))


def _open_doors(config: Config) -> Iterator[Contradiction]:
    protocols = config.receivers.otlp.protocols
    for name, door in (("grpc", protocols.grpc), ("http", protocols.http)):
        if door is None or door.tls or door.auth or config.receivers.otlp.allow_insecure_bind:
            continue
        key = f"{_OTLP}.protocols.{name}.endpoint"
        for endpoint in door.endpoint:
            if not endpoint.is_local:
                yield Contradiction(
                    key,
                    f"{endpoint} can be reached from other machines, without TLS or token; bind"
                    f" 127.0.0.1, give it tls or auth, or set {_INSECURE}: true if the network in"
                    " front of it decides who may send",
                    (key, _INSECURE, *(f"{_OTLP}.protocols.{name}.{it}" for it in ("tls", "auth"))),
                )


def _tls(config: Config) -> Iterator[Contradiction]:
    grpc, http = config.receivers.otlp.protocols.grpc, config.receivers.otlp.protocols.http
    key = f"{_OTLP}.protocols.grpc.tls.min_version"
    if grpc is not None and grpc.tls is not None and grpc.tls.min_version == "1.3":
        said = "gRPC cannot be told to refuse TLS 1.2; leave it at 1.2, or serve OTLP over HTTP"
        yield Contradiction(key, said, (key,))
    paths = f"{_OTLP}.protocols.http.logs_url_path"
    if http is not None and http.logs_url_path == http.traces_url_path:
        said = "logs and traces have the same path; give each its own"
        yield Contradiction(paths, said, (paths, f"{_OTLP}.protocols.http.traces_url_path"))


def _budget(config: Config) -> Iterator[Contradiction]:
    grpc, http = config.receivers.otlp.protocols.grpc, config.receivers.otlp.protocols.http
    most = config.receivers.otlp.limits.in_flight_bytes
    largest = {
        f"{_OTLP}.protocols.grpc.max_recv_msg_size_mib": grpc.max_recv_msg_size_mib * MIB
        if grpc
        else 0,
        f"{_OTLP}.protocols.http.max_request_body_size": http.max_request_body_size if http else 0,
    }
    key = f"{_OTLP}.limits.in_flight_bytes"
    for limit, size in largest.items():
        if size > most:
            yield Contradiction(
                key,
                f"{most} bytes are less than one largest request ({limit}: {size} bytes), which"
                " could never be taken; raise it or lower the request limit",
                (key, limit),
            )


def _files(config: Config) -> Iterator[Contradiction]:
    path, key = config.ledger.path, file_of(config.ledger.key)
    with suppress(OSError):  # what cannot be looked at is told when it is opened
        if path.is_dir():
            said = f"{path} is a directory; name a file in it, as in {path / 'ledger.db'}"
            yield Contradiction("ledger.path", said, ("ledger.path",))
    if path.suffix in TAKEN:
        said = f"{path.name}: {path.suffix} is the name of a file beside the ledger; use .db"
        yield Contradiction("ledger.path", said, ("ledger.path",))
    for where, endpoint in config.endpoints():
        socket = Path(endpoint.path or ".").absolute()
        if endpoint.path and socket in {
            path.absolute().with_suffix(end) for end in (*TAKEN, path.suffix)
        }:
            said = f"{endpoint} is a file of the ledger {path}; name another path for the socket"
            yield Contradiction(where, said, (where, "ledger.path"))
    others = [path, *(path.with_suffix(end) for end in sorted(TAKEN - {".key"}))]
    if key is not None and key.absolute() in [other.absolute() for other in others]:
        said = f"{key} is the name of the ledger or of another file beside it; name another file"
        yield Contradiction("ledger.key", said, ("ledger.key", "ledger.path"))


def _own_door(config: Config) -> Iterator[Contradiction]:
    """A checkpoint that comes back as a record would be answered with the next checkpoint."""
    http = config.receivers.otlp.protocols.http
    for name, anchor in config.anchors.items():
        if not isinstance(anchor, anchors.OtlpBackend) or http is None:
            continue
        parts = urlsplit(anchor.endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        there = Endpoint(host=parts.hostname or "", port=port)
        if any(there.overlaps(own) for own in http.endpoint):
            key = f"anchors.{name}.endpoint"
            said = (
                f"{anchor.endpoint} is this receiver's own door; a checkpoint that stays here"
                " anchors nothing. Name a backend that somebody else keeps"
            )
            yield Contradiction(key, said, (key, f"{_OTLP}.protocols.http.endpoint"))


def _lag(config: Config) -> Iterator[Contradiction]:
    """Between two time stamps nothing is covered: records would be held back nearly always."""
    for name, anchor in config.anchors.items():
        if not isinstance(anchor, anchors.Timestamp) or not 0 < anchor.max_lag <= anchor.interval:
            continue
        key = f"anchors.{name}.max_lag"
        said = (
            "a time stamp is taken once an interval, so records always wait that long for the next;"
            " make max_lag longer than interval, or leave it out"
        )
        yield Contradiction(key, said, (key, f"anchors.{name}.interval"))


def _rotation(config: Config) -> Iterator[Contradiction]:
    ledger, name = config.ledger, "ledger.key_rotation"
    fixed = isinstance(ledger.key, Elsewhere) and ledger.key.pkcs11 is None
    if fixed and ledger.key_rotation and "key_rotation" in ledger.model_fields_set:
        said = (
            "a key in the environment or a KMS cannot be changed by the service; write 0s, or keep"
            " the key in a file or a PKCS#11 token"
        )
        yield Contradiction(name, said, (name, "ledger.key"))
