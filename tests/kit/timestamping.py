"""A real RFC 3161 authority: `openssl ts -reply` behind HTTP, with certificates made by the test.

Its chain is root, intermediate, signer; a token embeds the last two, in an order that openssl
chooses and that DER forbids half of the time.
"""

import subprocess
import threading
from pathlib import Path

from audit_receiver.verify.rfc3161 import stamp, trusted
from tests.kit.outside import Asked, Outside, Reply

_EXTENSIONS = {
    "ca": "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n",
    "signer": "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n",
    "server": "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,serverAuth\n",
}
_CONFIG = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
certs = {folder}/intermediate.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ess_cert_id_alg = sha256
"""


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """One openssl command; what it printed."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class TimestampAuthority:
    """Signs time stamps; its root lies in `root`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = folder / "root.pem"
        self._lock = threading.Lock()
        (folder / "serial").write_text("01\n")
        self._certificate("root", "ca", "")
        self._certificate("intermediate", "ca", "root")
        self.issue_signer()
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))

    def issue_signer(self, purpose: str = "signer") -> None:
        """A new key and certificate for the signer; `server` is for something else."""
        self._certificate("signer", purpose, "intermediate")

    def _certificate(self, name: str, kind: str, issuer: str) -> None:
        at = self.folder
        key, request, pem = at / f"{name}.key", at / f"{name}.csr", at / f"{name}.pem"
        extensions = at / f"{name}.ext"
        extensions.write_text(_EXTENSIONS[kind])
        curve = ("-pkeyopt", "ec_paramgen_curve:P-256")
        subject = ("-subj", f"/CN={name} of {at.name}")
        openssl(
            *("req", "-new", "-newkey", "ec", *curve, "-nodes", "-keyout", key, "-out", request),
            *subject,
        )
        signed_by = ("-CA", at / f"{issuer}.pem", "-CAkey", at / f"{issuer}.key", "-CAcreateserial")
        own = ("-signkey", key)
        openssl(
            *("x509", "-req", "-in", request, "-days", "2", "-extfile", extensions, "-out", pem),
            *(signed_by if issuer else own),
        )

    def reply(self, request: bytes) -> bytes:
        """The answer to a TimeStampReq: DER TimeStampResp."""
        with self._lock:  # openssl counts its serial in a file
            query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
            query.write_bytes(request)
            openssl(
                *("ts", "-reply", "-config", self.folder / "tsa.cnf", "-section", "tsa"),
                *("-queryfile", query, "-out", reply),
            )
            return reply.read_bytes()

    def stamp(self, message: bytes, *, nonce: bool = True, certificates: bool = True) -> bytes:
        """A token of a message, as openssl itself would ask for it."""
        (self.folder / "message").write_bytes(message)
        chosen = [*(["-cert"] if certificates else []), *([] if nonce else ["-no_nonce"])]
        data = ("-data", self.folder / "message")
        return self.reply(openssl("ts", "-query", *data, "-sha256", *chosen))

    def keep(self, asked: Asked) -> Reply:
        """The authority as a service: RFC 3161, 3.4."""
        if asked.headers.get("content-type") != "application/timestamp-query":
            return Reply(415, b"send application/timestamp-query", "text/plain")
        return Reply(200, self.reply(asked.body), "application/timestamp-reply")


def served(authority: TimestampAuthority, other: TimestampAuthority) -> Outside:
    """The authority over HTTP; with the fault `wrong` it signs as `other` does."""
    return Outside(authority.keep, {"wrong": other.keep})


def openssl_verifies(folder: Path, token: bytes, note: str, roots: Path) -> bool:
    """What the auditor does: `openssl ts -verify`, as docs/anchors.md shows it."""
    (folder / "note.txt").write_text(note)
    (folder / "token.tsr").write_bytes(token)
    command = ["openssl", "ts", "-verify", "-data", "note.txt", "-in", "token.tsr"]
    done = subprocess.run(
        [*command, "-CAfile", str(roots)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ("Verification: OK" in done.stdout) == (done.returncode == 0)
    return done.returncode == 0


def token_time(token: bytes, note: str, roots: bytes) -> int | str:
    """When the note existed at the latest, in nanoseconds; or why the token does not prove it.

    Args:
        token: DER TimeStampResp.
        note: the published note, as the ledger and the anchors keep it.
        roots: PEM of the authorities that the token must chain to.

    Raises:
        ConfigError: nothing can be judged: the extra is not installed, or `roots` is not PEM.
    """
    try:
        return stamp(token, note, trusted(roots)).latest_unix_nano
    except ValueError as exc:
        return str(exc)
