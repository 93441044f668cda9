"""The anchors under test, each with its real outside and the ways in which that can fail."""

import fcntl
import gzip
import json
import os
import select
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from audit_receiver import anchors
from audit_receiver.anchor.stdout import StdoutAnchor
from audit_receiver.tlog.note import VerifierKey
from tests.anchor.bucket import object_store
from tests.anchor.subject import Subject, over_http, size_of
from tests.anchor.witnesses import OurWitness, log_vkey
from tests.kit.outside import Asked, Outside, Reply
from tests.kit.timestamping import TimestampAuthority, served, token_time

TREE_SIZE = "text/x.tlog.size"  # C2SP tlog-witness: the answer 409 states what it holds
Authorities = tuple[TimestampAuthority, TimestampAuthority]


@contextmanager
def subjects(
    folder: Path, authorities: Authorities, ledger: Path, bucket_server: str
) -> Iterator[list[Subject]]:
    """All of them, running, for this ledger."""
    folder.mkdir()
    with ExitStack() as stack:
        yield [
            stack.enter_context(stdout(folder)),
            file(folder),
            stack.enter_context(timestamp(*authorities)),
            stack.enter_context(otlp()),
            stack.enter_context(webhook()),
            stack.enter_context(witness(folder, ledger)),
            stack.enter_context(object_store(bucket_server)),
        ]


@contextmanager
def stdout(folder: Path) -> Iterator[Subject]:
    """A pipe with a reader: one that has gone away, or that does not read for a while."""
    descriptor = os.open(folder, os.O_RDONLY)  # its number is kept for the pipes to come
    reader = Reading(descriptor)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                anchors, "StdoutAnchor", lambda name: StdoutAnchor(name, descriptor=descriptor)
            )
            yield Subject("stdout", {}, reader.newest, frozenset({"gone", "slow"}), reader.fail)
    finally:
        reader.stop()
        os.close(descriptor)


class Reading:
    """Reads what is written to a descriptor, line by line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sizes = [0]
        self._begin()

    def newest(self, _: Path) -> int:
        return max(self._sizes)

    def fail(self, fault: str) -> None:
        match fault:
            case "gone":
                self.stop()
            case "slow":
                self._paused.clear()
                os.set_blocking(self._descriptor, False)
                with suppress(BlockingIOError):
                    while True:
                        os.write(self._descriptor, b"\n" * 512)
                os.set_blocking(self._descriptor, True)
            case _:
                self._paused.set()
                if not self._thread.is_alive():
                    self._begin()

    def stop(self) -> None:
        self._stopped = True
        self._paused.set()
        self._thread.join(10)

    def _begin(self) -> None:
        self._stopped = False
        self._paused = threading.Event()
        self._paused.set()
        read, write = os.pipe()
        fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 4096)
        os.dup2(write, self._descriptor, inheritable=False)
        os.close(write)
        self._thread = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._thread.start()

    def _read(self, read: int) -> None:
        left = b""
        while not self._stopped:
            ready, _, _ = select.select([read], [], [], 0.02)
            self._paused.wait()
            if ready:
                *lines, left = (left + os.read(read, 65536)).split(b"\n")
                self._sizes += [size_of(json.loads(line)["note"]) for line in lines if line]
        os.close(read)


def file(folder: Path) -> Subject:
    """A file on a volume that goes away: its directory becomes unusable."""
    path = folder / "volume" / "checkpoints.txt"
    away = folder / "away"

    def fail(fault: str) -> None:
        if fault:
            path.parent.mkdir(exist_ok=True)
            path.parent.rename(away)
            path.parent.write_text("no directory")
        elif away.exists():
            path.parent.unlink()
            away.rename(path.parent)

    def newest(_: Path) -> int:
        lies = path if path.exists() else away / path.name
        notes = lies.read_text().split("\n=\n")[:-1] if lies.exists() else []
        return max((size_of(note.removeprefix("=\n") + "\n") for note in notes), default=0)

    return Subject("file", {"path": str(path)}, newest, frozenset({"refuses", "gone"}), fail)


@contextmanager
def timestamp(authority: TimestampAuthority, other: TimestampAuthority) -> Iterator[Subject]:
    """openssl as authority; what is kept is the token in the ledger, which has to hold."""

    def newest(ledger: Path) -> int:
        sql = (
            "SELECT size, note, content FROM anchored JOIN checkpoint USING (size)"
            " WHERE anchor = 'timestamp' AND kind = 'timestamp'"
        )
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
            rows = connection.execute(sql).fetchall()
        roots = authority.root.read_bytes()
        for _, note, token in rows:
            assert isinstance(token_time(token, note, roots), int)
        return max((size for size, _, _ in rows), default=0)

    with served(authority, other) as outside:
        section = {"url": outside.url, "ca_file": str(authority.root), "interval": "1s"}
        yield over_http("timestamp", section, outside, newest, "wrong")


@contextmanager
def otlp() -> Iterator[Subject]:
    """A backend that decodes what it keeps; `wrong`: it says that it rejected the record."""
    kept = [0]

    def keep(asked: Asked) -> Reply:
        request = ExportLogsServiceRequest.FromString(gzip.decompress(asked.body))
        [record] = request.resource_logs[0].scope_logs[0].log_records
        kept.append(size_of(record.body.string_value))
        return Reply(200, b"", "application/x-protobuf")

    def reject(asked: Asked) -> Reply:
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = 1
        response.partial_success.error_message = "too old"
        return Reply(200, response.SerializeToString(), "application/x-protobuf")

    with Outside(keep, {"wrong": reject}) as outside:
        yield over_http("otlp", {"endpoint": outside.url}, outside, lambda _: max(kept), "wrong")


@contextmanager
def webhook() -> Iterator[Subject]:
    """A receiver of JSON; `wrong`: it does not accept our token."""
    kept = [0]

    def keep(asked: Asked) -> Reply:
        kept.append(size_of(json.loads(asked.body)["note"]))
        return Reply(204)

    more = {
        "wrong": lambda asked: Reply(401, b"unknown token", "text/plain"),
        "conflict": lambda asked: Reply(409, b"another root", "text/plain"),
    }
    with Outside(keep, more) as outside:
        section = {"url": outside.url}
        yield over_http("webhook", section, outside, lambda _: max(kept), "wrong", "conflict")


@contextmanager
def witness(folder: Path, ledger: Path) -> Iterator[Subject]:
    """Our own witness; what is kept is what it remembers."""
    vkey = log_vkey(ledger)
    origin = VerifierKey.parse(vkey).name
    one = OurWitness(folder, vkey)
    more = {"wrong": one._wrong, "conflict": lambda asked: Reply(409, b"99999\n", TREE_SIZE)}
    with Outside(one._keep, more) as outside:
        place = {"url": outside.url, "vkey": str(one.cosigner.verifier)}
        section = {"witnesses": [place]}
        yield over_http(
            "witness", section, outside, lambda _: one.size(origin), "wrong", "conflict"
        )
