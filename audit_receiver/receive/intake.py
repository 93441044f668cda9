"""The whole write path: bytes of one export request in, durable entries and a receipt out.

Both doors call `Intake.receive`; only it knows the order of the steps.
"""

import asyncio
import os
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from audit_receiver import telemetry
from audit_receiver.errors import Conflict, LedgerBusy, MalformedRequest
from audit_receiver.ledger.appender import Appended, Appender, Delivery, Kept
from audit_receiver.otlp import codec, receipt
from audit_receiver.otlp.codec import Limits, Media
from audit_receiver.otlp.envelope import Signal
from audit_receiver.otlp.walk import Walk, walk
from audit_receiver.receive import audit, evidence, signatures
from audit_receiver.receive.admission import Peer
from audit_receiver.receive.budget import Budget, Share
from audit_receiver.receive.deadline import Deadline
from audit_receiver.receive.refusals import Refusals
from audit_receiver.receive.signatures import Producers
from audit_receiver.record import body, canonical
from audit_receiver.record.normalise import Vocabulary, normalise
from audit_receiver.record.redaction import Redactor
from audit_receiver.record.select import EVERYTHING, Rule

MOST_CONFLICTS = 100  # told in one incident
LARGE_RECORDS = 32
LARGE_BYTES = 1 << 20


class Delivered(NamedTuple):
    """An export request as a door hands it over."""

    signal: Signal
    media: Media
    body: bytes
    content_encoding: str | None
    peer: Peer
    limits: Limits
    exact: bool = False  # of `/v1/audit`: each record once under its id, or nothing of the request


class Prepared(NamedTuple):
    """A request on its way to the writer."""

    walked: Walk
    drafts: list[Any]
    verdicts: tuple[str, ...]  # of the producers' signatures, where keys are configured


class Outcome(NamedTuple):
    """What became of a request; told after COMMIT."""

    stored: int
    duplicates: int
    skipped: int
    receipt: bytes  # audit_receiver.v1.Receipt
    names: tuple[str, ...] = ()  # of an exact request: the record ids,
    kept: tuple[Kept, ...] = ()  # and where each stands,
    verdicts: tuple[str, ...] = ()  # and of its signature, where producers' keys are configured


class Intake:
    """Takes requests for one ledger. Lives in the event loop's thread."""

    def __init__(
        self,
        appender: Appender,
        rule: Rule,
        vocabulary: Vocabulary,
        budget: Budget,
        deadline_seconds: float,
        producers: Producers | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._appender = appender
        self._producers = producers
        self._redactor = redactor
        self._rule = rule
        self._vocabulary = vocabulary
        self.budget = budget
        self.refusals = Refusals(appender.count)
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, deadline_seconds)
        self._handed: list[tuple[list[Any], _Ticket]] = []

    async def receive(self, delivered: Delivered, share: Share) -> Outcome:
        """Store the audit records of one request; returns once they are durable.

        Raises SenderError where sending again cannot help, RetryLater where it can. What was
        handed to the writer is committed even if the caller goes away: a resend is recognised.
        """
        try:
            if len(delivered.body) > LARGE_BYTES:  # seconds of work: the loop goes on meanwhile
                prepared = await asyncio.to_thread(self._prepare, delivered, share)
            else:
                prepared = self._prepare(delivered, share)
            walked, drafts = prepared.walked, prepared.drafts
            if not drafts:
                self._count(delivered, walked, None)
                return self._outcome(walked, None)
            ticket = _Ticket(self, delivered, walked)
            self._deadline.watch(ticket.future)
            self._hand_over(drafts, ticket)
            outcome = self._outcome(walked, await ticket.future)
            return outcome._replace(verdicts=prepared.verdicts) if delivered.exact else outcome
        except TimeoutError:
            raise LedgerBusy(
                f"no commit within {self._deadline.seconds:g} s (receivers.otlp.limits.deadline);"
                " send again, what was stored meanwhile is recognised"
            ) from None
        except MalformedRequest as error:
            self._keep_evidence(delivered, error)
            raise
        except Conflict as error:
            records = [list(found) for found in error.found[:MOST_CONFLICTS]]
            self._appender.record("incident", {"incident": "refused_conflict", "records": records})
            raise

    def _hand_over(self, drafts: list[Any], ticket: "_Ticket") -> None:
        """Give the writer all small requests of one turn of the loop at once.

        Handed over one by one, the first of many would be committed alone while the others wait.
        A large one goes at once, so that it is written while the next is read.
        """
        if len(drafts) >= LARGE_RECORDS:
            self._appender.submit(drafts, ticket, ticket.exact)
            return
        if not self._handed:
            self._loop.call_soon(self._flush)
        self._handed.append((drafts, ticket))

    def _flush(self) -> None:
        handed, self._handed = self._handed, []
        for drafts, ticket in handed:
            try:
                self._appender.submit(drafts, ticket, ticket.exact)
            except Exception as error:  # its own alone: those behind it are handed over too
                ticket(error)

    def _prepare(self, delivered: Delivered, share: Share) -> Prepared:
        """Everything between the bytes and the writer; touches nothing of the loop's."""
        walked = self._read(delivered, share)
        verdicts: tuple[str, ...] = ()
        if delivered.exact:
            walked = walked._replace(observations=audit.taken(walked.observations))
        if self._producers is not None:
            walked, verdicts = self._judged(walked, self._producers, delivered.exact)
        return Prepared(walked, self._drafts(walked, delivered), verdicts)

    @staticmethod
    def _judged(walked: Walk, producers: Producers, exact: bool) -> tuple[Walk, tuple[str, ...]]:
        """Verify producers' signatures: a bad one is flagged, and refuses an exact request."""
        verdicts = [producers.judge(observation) or "" for observation in walked.observations]
        if "failed" not in verdicts:
            return walked, tuple(verdicts)
        if exact:
            where = f"log_records[{verdicts.index('failed')}]"
            raise MalformedRequest(f"{where}: audit.integrity.value does not verify", where)
        observations = [
            observation._replace(flags=observation.flags | {signatures.FLAG})
            if verdict == "failed"
            else observation
            for observation, verdict in zip(walked.observations, verdicts, strict=True)
        ]
        return walked._replace(observations=observations), ()

    def _read(self, delivered: Delivered, share: Share) -> Walk:
        data = codec.inflate(delivered.body, delivered.content_encoding, delivered.limits)
        if data is not delivered.body:
            share.grow(len(data))
        request = codec.decode(delivered.signal, data, delivered.media, delivered.limits)
        if request.ignored_members:
            telemetry.IGNORED_MEMBERS.inc(request.ignored_members)
        return walk(delivered.signal, request, EVERYTHING if delivered.exact else self._rule)

    def _drafts(self, walked: Walk, delivered: Delivered) -> list[Any]:
        observations = walked.observations
        if not observations:
            return []
        if self._redactor is not None:
            observations = list(map(self._redactor.apply, observations))
        size = body.SALTS_BYTES
        salts = os.urandom(size * len(observations))
        peer = _peer(delivered.peer)
        return [
            body.encode(
                normalise(observation, self._vocabulary),
                peer,
                salts[size * number : size * (number + 1)],
            )
            for number, observation in enumerate(observations)
        ]

    def _outcome(self, walked: Walk, appended: Appended | None) -> Outcome:
        tip = self._appender.tip if appended is None else appended.tip
        skipped = sum(walked.skipped.values())
        stored = appended.stored if appended else 0
        duplicates = appended.duplicates if appended else 0
        encoded = receipt.encode(
            first_seq=appended.first_seq if appended else None,
            last_seq=appended.last_seq if appended else None,
            tree_size=tip.size,
            root=tip.root,
            signature=tip.signature,
            key_id=tip.key_id,
            origin=tip.origin,
            stored=stored,
            duplicates=duplicates,
            skipped=skipped,
        )
        if appended is None or not appended.kept:
            return Outcome(stored, duplicates, skipped, encoded)
        names = audit.record_ids(walked.observations)
        return Outcome(stored, duplicates, skipped, encoded, names, appended.kept)

    def _count(self, delivered: Delivered, walked: Walk, appended: Appended | None) -> None:
        for service, number in walked.received.items():
            told = self._redactor.text(service) if self._redactor is not None else service
            self._appender.note(told, number, walked.skipped.get(service, 0))
        skipped = sum(walked.skipped.values())
        signal = "audit" if delivered.exact else delivered.signal
        counters = _counters(signal, delivered.peer.transport)
        if skipped:
            counters["skipped"].inc(skipped)
        if appended is not None:
            if fresh := appended.stored - appended.conflicts:
                counters["stored"].inc(fresh)
            if appended.conflicts:
                counters["conflict"].inc(appended.conflicts)
            if appended.duplicates:
                counters["duplicate"].inc(appended.duplicates)

    def _keep_evidence(self, delivered: Delivered, error: MalformedRequest) -> None:
        """A request that cannot be decoded is evidence too: digest, size, first 4 KiB."""
        fields: dict[str, Any] = {
            "incident": "undecodable",
            "error": str(error)[:1024],
            "sha256": sha256(delivered.body).hexdigest(),
            "signal": delivered.signal,
            "size": len(delivered.body),
            "transport": delivered.peer.transport,
        }
        matcher = self._redactor.matcher if self._redactor is not None else None
        head = evidence.head(delivered.body, delivered.content_encoding, matcher)
        if head is not None:
            fields["head"] = head
        self._appender.record("incident", fields)


class _Ticket:
    """What the writer calls back; counts even if nobody waits any more."""

    __slots__ = ("_delivered", "_intake", "_walked", "exact", "future")

    def __init__(self, intake: Intake, delivered: Delivered, walked: Walk) -> None:
        self._intake = intake
        self._delivered = delivered
        self._walked = walked
        self.exact = delivered.exact
        self.future: asyncio.Future[Any] = intake._loop.create_future()

    def __call__(self, result: Appended | Exception) -> None:
        if isinstance(result, Exception):
            if not self.future.done():
                self.future.set_exception(result)
            return
        self._intake._count(self._delivered, self._walked, result)
        if not self.future.done():
            self.future.set_result(result)


def deliver_to(loop: asyncio.AbstractEventLoop) -> Any:
    """The appender's `deliver`: one wake-up of the loop for all requests of one commit."""

    def deliver(results: Delivery) -> None:
        loop.call_soon_threadsafe(_resolve, results)

    return deliver


def _resolve(results: Delivery) -> None:
    for done, result in results:
        done(result)


@lru_cache(256)
def _peer(peer: Peer) -> bytes:
    """The canonical text of the body's `peer` object."""
    flags: set[str] = set()

    def text(value: str) -> Any:
        return canonical.of_string(value.encode("utf-8", "surrogateescape"), flags)

    told: dict[str, Any] = {"transport": peer.transport}
    if peer.headers:
        told["headers"] = {name: text(value) for name, value in peer.headers}
    if peer.token:
        told["token"] = peer.token
    if peer.certificate is not None:
        subject, names, digest = peer.certificate
        told["certificate"] = {
            "names": [text(name) for name in names],
            "sha256": digest,
            "subject": text(subject),
        }
    return canonical.encode(told)


@lru_cache(16)
def _counters(signal: str, transport: str) -> dict[str, Any]:
    results = ("stored", "duplicate", "conflict", "skipped")
    return {name: telemetry.RECORDS.labels(signal, transport, name) for name in results}
