"""Golden vectors for tree, chain, note and proof: hand-written values, and mutants of good ones.

    python -m tests.vectors.generate

reads what the Go program wrote (`*/go.json`) and writes the other files beside it. It uses nothing
of the product: hashlib, base64, the openssl command, and tests/kit/reference.py. The same input
gives the same bytes. Every refusal says why it is one: `reason` is a part of the message expected.
"""

import base64
import json
import subprocess
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.kit import reference

HERE = Path(__file__).parent
Case = dict[str, Any]

# The leaves of Certificate Transparency's reference implementation and the roots that it gives for
# the first 0 to 8 of them, as its tests and those of other implementations print them.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
CT_LEAVES.append("606162636465666768696a6b6c6d6e6f")
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# The example of golang.org/x/mod/sumdb/note.
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQx"
    "VBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def write(name: str, made_by: str, **content: Any) -> None:
    """One file of vectors."""
    text = json.dumps({"made_by": made_by, **content}, indent=1, ensure_ascii=False)
    (HERE / name).write_text(text + "\n", "utf-8")


def go(room: str) -> Any:
    """What the Go program wrote for a room."""
    return json.loads((HERE / room / "go.json").read_text("utf-8"))


def openssl(*arguments: str, data: bytes, **files: bytes) -> bytes:
    """Run openssl; `{name}` in an argument is the path of a file with that content."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, content in {**files, "data": data}.items():
            paths[name] = Path(folder) / name
            paths[name].write_bytes(content)
        command = ["openssl", *(argument.format(**paths) for argument in arguments)]
        return subprocess.run(command, check=True, capture_output=True).stdout


def sign(seed: bytes, text: str) -> bytes:
    """Ed25519 by openssl, from a seed (RFC 8410 says how it stands in PKCS#8)."""
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed
    pem = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"
    key = pem.format(base64.b64encode(pkcs8).decode()).encode()
    options = ("pkeyutl", "-sign", "-rawin", "-inkey", "{key}", "-in", "{data}")
    return openssl(*options, data=text.encode(), key=key)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- tree --------------------------------------------------------------------------------------


def mistaken_root(leaves: list[bytes], mistake: str) -> bytes:
    """The root that a common mistake gives instead of RFC 6962's."""
    no_leaf = mistake == "leaves without the prefix 00"
    level = [sha256(d if no_leaf else b"\x00" + d).digest() for d in leaves]
    prefix = b"" if mistake == "nodes without the prefix 01" else b"\x01"
    if mistake == "the prefixes exchanged":
        level, prefix = [sha256(b"\x01" + d).digest() for d in leaves], b"\x00"
    while len(level) > 1:
        if len(level) % 2 and mistake == "the last node doubled, as Bitcoin does":
            level.append(level[-1])
        if mistake == "split in the middle":
            return middle_root(level)
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        if mistake == "left and right exchanged":
            pairs = [pair[::-1] for pair in pairs]
        level = [p[0] if len(p) == 1 else sha256(prefix + p[0] + p[1]).digest() for p in pairs]
    return level[0]


def middle_root(level: list[bytes]) -> bytes:
    if len(level) == 1:
        return level[0]
    half = len(level) // 2
    return reference.node(middle_root(level[:half]), middle_root(level[half:]))


def tree() -> None:
    write(
        "tree/certificate-transparency.json",
        "the reference implementation of RFC 6962, typed in",
        leaves=CT_LEAVES,
        roots=CT_ROOTS,
    )
    leaves = [bytes.fromhex(text) for text in CT_LEAVES]
    refusals = []
    for mistake in (
        "leaves without the prefix 00",
        "nodes without the prefix 01",
        "the prefixes exchanged",
        "left and right exchanged",
        "the last node doubled, as Bitcoin does",
        "split in the middle",
    ):
        for size in (3, 5, 6, 7, 8):
            wrong = mistaken_root(leaves[:size], mistake)
            if wrong.hex() != CT_ROOTS[size]:
                refusals.append({"mistake": mistake, "size": size, "root": wrong.hex()})
    ranges = [
        {"lo": lo, "hi": hi, "reason": f"[{lo}, {hi}) is no subtree"}
        for lo, hi in ((0, 0), (3, 3), (5, 4), (1, 3), (2, 5), (4, 9), (3, 5), (128, 640))
    ]
    write("tree/refusals.json", "generate.py, by hand", roots=refusals, ranges=ranges)


# --- chain -------------------------------------------------------------------------------------


def chain_header(seq: int, prev: str) -> str:
    digest = sha256(f"no body stands behind this hash: {seq}".encode()).hexdigest()
    kind, action = ("ledger", "ledger.genesis") if seq == 0 else ("log", f"user.role.{seq}")
    known = "" if seq == 0 else f'"id":"{seq:016x}",'
    told = "" if seq == 0 else '"outcome":"success",'
    subject = "" if seq == 0 else f'"subject":"{digest[::-1]}",'
    time = f"2026-01-01T00:00:0{seq}.000000000Z"
    return (
        f'{{"action":"{action}","body":"{digest}","flags":[],{known}"kind":"{kind}",{told}"prev":'
        f'"{prev}","received":"{time}","seq":{seq},{subject}"time":"{time}","v":1}}'
    )


def sha3(text: str) -> str:
    """SHA3-256 by openssl."""
    return openssl("dgst", "-sha3-256", "-binary", "{data}", data=text.encode()).hex()


def link(headers: Iterable[str]) -> list[list[str]]:
    return [[header, sha3(header)] for header in headers]


def chain_of(size: int, other: int = -1) -> list[list[str]]:
    """A good chain; `other` is an entry that says something else, everything behind recomputed."""
    rows: list[list[str]] = []
    for seq in range(size):
        header = chain_header(seq, rows[-1][1] if rows else "0" * 64)
        if seq == other:
            header = header.replace("success", "failure")
        rows += link([header])
    return rows


def chain() -> None:
    good = chain_of(6)
    relabelled = good[3][0].replace("success", "failure")
    last = good[5][0].replace("success", "failure")
    upper = good[2][0].replace(good[1][1], good[1][1].upper())
    cases: list[Case] = [
        {"name": "happy path", "entries": good},
        {"name": "genesis alone", "entries": good[:1]},
        {
            "name": "a header edited",
            "at": 3,
            "reason": "hash",
            "change": [3, relabelled, good[3][1]],
        },
        {
            "name": "its hash recomputed",
            "at": 4,
            "reason": "prev",
            "change": [3, *link([relabelled])[0]],
        },
        {"name": "a hash edited", "at": 2, "reason": "hash", "change": [2, good[2][0], good[3][1]]},
        {
            "name": "the last header edited",
            "at": 5,
            "reason": "hash",
            "change": [5, last, good[5][1]],
        },
        {
            "name": "a trailing newline",
            "at": 4,
            "reason": "hash",
            "change": [4, good[4][0] + "\n", good[4][1]],
        },
        {"name": "prev in upper case", "at": 2, "reason": "prev", "change": [2, *link([upper])[0]]},
        {
            "name": "genesis that continues something",
            "at": 0,
            "reason": "prev",
            "change": [0, *link([chain_header(0, "1" * 64)])[0]],
        },
        {"name": "SHA-256 in place of SHA3-256", "at": 0, "reason": "hash"},
        {"name": "the first deleted", "at": 0, "reason": "seq", "entries": good[1:]},
        {"name": "one deleted", "at": 2, "reason": "seq", "entries": [*good[:2], *good[3:]]},
        {"name": "two exchanged", "at": 2, "reason": "seq", "order": [0, 1, 3, 2, 4, 5]},
        {"name": "one repeated", "at": 4, "reason": "seq", "order": [0, 1, 2, 3, 3, 4, 5]},
        {"name": "one appended twice", "at": 6, "reason": "seq", "order": [0, 1, 2, 3, 4, 5, 5]},
        {
            "name": "the tail of another chain",
            "at": 4,
            "reason": "prev",
            "entries": [*good[:4], *chain_of(6, other=2)[4:]],
        },
    ]
    for case in cases:
        change, order = case.pop("change", None), case.pop("order", None)
        if order is not None:
            case["entries"] = [good[i] for i in order]
        elif change is not None:
            seq, *row = change
            case["entries"] = [*good[:seq], row, *good[seq + 1 :]]
        elif "entries" not in case:
            case["entries"] = [[text, sha256(text.encode()).hexdigest()] for text, _ in good]
    write("chain/chain.json", "generate.py by hand, SHA3-256 by openssl", cases=cases)


if __name__ == "__main__":
    from tests.vectors import generate_cosignatures, generate_notes

    tree()
    chain()
    generate_notes.main()
    generate_cosignatures.main()
