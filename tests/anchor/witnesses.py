"""Witnesses for tests of the anchor: ours behind a port that can fail, and a ledger for them."""

import shutil
import time
from hashlib import sha256
from pathlib import Path

from audit_receiver.anchor.cosigning import Place
from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.model import Published
from audit_receiver.anchor.witness import WitnessAnchor
from audit_receiver.ledger.keys import LedgerFiles
from audit_receiver.ledger.reader import Reader
from audit_receiver.tlog.checkpoint import Checkpoint
from audit_receiver.tlog.cosignature import Cosigner, CosignerKey
from audit_receiver.tlog.note import Note, NoteSignature, SignerKey, VerifierKey
from audit_receiver.witness.core import Answer, Witness
from audit_receiver.witness.memory import Memory
from tests.kit.lab import LedgerLab, draft
from tests.kit.outside import Asked, Outside, Reply


def log_vkey(ledger: Path) -> str:
    with Reader(ledger) as reader:
        return str(reader.genesis().event["log_vkey"])


def published(ledger: Path) -> Published:
    """The ledger's tip as the service publishes it: its own key's line, then the log key's."""
    files = LedgerFiles.beside(ledger)
    with Reader(ledger) as reader:
        size, root, signature, _ = reader.tip_head() or ()
        event = reader.genesis().event
    origin = event["origin"]
    text = Checkpoint(origin, size, root).text()
    own = VerifierKey.parse(event["vkey"])
    log = SignerKey.from_pem(origin, files.logkey.read_bytes())
    lines = (
        NoteSignature(origin, own.key_id, signature),
        NoteSignature(origin, log.verifier.key_id, log.sign(text.encode())),
    )
    return Published(origin, size, root, str(Note(text, lines)), time.time_ns())


class Ledger:
    """A real ledger that grows, also on from a copy of another one's directory (`FOLDER/lab`)."""

    def __init__(self, folder: Path) -> None:
        self.lab = LedgerLab(folder)
        self.lab.open()
        self.path = self.lab.path

    def grow(self, count: int = 1) -> Published:
        for number in range(count):
            self.lab.append(draft(f"{number}-{time.time_ns()}"))
        return published(self.path)

    def copied_to(self, folder: Path) -> Path:
        """A copy of the whole directory as it is now, with its keys."""
        shutil.copytree(self.path.parent, folder, ignore=shutil.ignore_patterns("*.sock"))
        return folder / self.path.name


class OurWitness:
    """The real witness's core behind an `Outside`, which can fail in every way."""

    def __init__(self, folder: Path, *vkeys: str, name: str = "witness.example/one") -> None:
        self.cosigner = Cosigner(SignerKey.generate(name))
        path = folder / f"{sha256(name.encode()).hexdigest()[:8]}.memory"
        Memory.begin(path, self.cosigner.verifier)
        keys = [VerifierKey.parse(vkey) for vkey in vkeys]
        logs = {key.name: [other for other in keys if other.name == key.name] for key in keys}
        memory = Memory(path, self.cosigner.verifier)
        self.core = Witness(logs, self.cosigner, memory, lambda: int(time.time()))
        self.answers: list[Answer] = []
        self.outside = Outside(self._keep, {"wrong": self._wrong, "empty": lambda _: Reply(200)})

    def size(self, origin: str) -> int:
        head = next(log.head for log in self.core.logs() if log.origin == origin)
        return head.size if head else 0

    def place(self, seconds: float = 5, vkey: str = "") -> Place:
        key = CosignerKey.parse(vkey) if vkey else self.cosigner.verifier
        return place(self.outside.url, key, seconds)

    def _keep(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            hashed = {sha256(one.encode()).hexdigest(): one for one in self.core.origins()}
            note = self.core.newest(hashed.get(asked.path.split("/")[1], ""))
            return Reply(200 if note else 404, (note or "none\n").encode(), "text/plain")
        assert asked.path == "/add-checkpoint"
        answer = self.core.add_checkpoint(asked.body)
        self.answers.append(answer)
        return Reply(answer.status, answer.text.encode(), answer.content_type)

    def _wrong(self, asked: Asked) -> Reply:
        """Its own key's line, over another text."""
        key = self.cosigner
        note = Note.parse(asked.body.decode().partition("\n\n")[2])
        line = key.cosign(note.text.replace("\n", "\n\n", 1), int(time.time()))
        return Reply(200, str(line).encode(), "text/plain")


def place(url: str, key: CosignerKey, seconds: float = 5) -> Place:
    return Place(key, Peer(url, None, seconds, 1 << 16), Peer(url, None, seconds, 1 << 16))


def anchor(ledger: Path, *places: Place, quorum: int = 1, seconds: float = 5) -> WitnessAnchor:
    return WitnessAnchor("witness/test", places, quorum, ledger, seconds)
