"""The keys by which receipts are checked: the one that was given, and those it leads to.

The sink changes its key daily. A receipt by a key that is not known yet makes the client ask
`GET /v1/audit/keys` for the way there, which it checks from the first key on.
"""

import base64

from audit_receiver.client.outcome import Altered, UnknownKey
from audit_receiver.tlog import keychain
from audit_receiver.tlog.checkpoint import head_text
from audit_receiver.tlog.keychain import KeyChain
from audit_receiver.tlog.note import VerifierKey
from audit_receiver.tlog.proof import ProofError
from audit_receiver.v1.receipt_pb2 import Receipt


class Keys:
    """What one client knows of its sink's keys; several threads may use it."""

    def __init__(self, vkey: str) -> None:
        self._chain = KeyChain.of(VerifierKey.parse(vkey))

    @property
    def query(self) -> str:
        """What to ask for: the keys behind the newest known one."""
        return f"?since={max(self._chain.reigns[-1].first_size - 1, 0)}"

    def learn(self, status: int, text: bytes) -> None:
        """Follow the chain that the sink told. Raises Altered where it does not hold."""
        if status != 200:
            raise Altered(
                f"the receipt is by a later key, and the sink answers {status} where it should say"
                " how the key that was given leads to that one"
            )
        chain = self._chain
        known = chain.reigns[-1].first_size
        try:  # another thread may have asked with the same question
            links = [one for one in keychain.parse(text.decode()) if one.proof.index + 2 > known]
            self._chain = chain.followed(links)
        except (ProofError, UnicodeDecodeError) as exc:
            raise Altered(f"the keys that the sink told do not hold: {exc}") from exc

    def check(self, head: Receipt) -> None:
        """Check a receipt's signature. Raises UnknownKey, Altered."""
        key = self._chain.at(max(head.tree_size, 1))
        if head.origin != key.name or head.key_id != key.key_id:
            said = (
                f"the receipt is of {head.origin}, key {head.key_id:08x}; expected was {key.name},"
                f" key {key.key_id:08x}"
            )
            raise UnknownKey(said) if head.origin == key.name else Altered(said)
        text = head_text(head.origin, head.tree_size, head.root).encode()
        if not key.verify(text, head.signature):
            root = base64.b64encode(head.root).decode()
            raise Altered(f"the signature of the head {head.tree_size} {root} does not hold")
