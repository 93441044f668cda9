"""Golden vectors for note and proof: mutants of what the Go program wrote (see generate.py)."""

import base64
from collections.abc import Callable
from typing import Any

from tests.kit import reference
from tests.vectors.generate import NEUMANN_NOTE, NEUMANN_VKEY, b64, go, openssl, sign, write

MADE_BY = "generate_notes.py: mutants of go.json, signed by openssl"
DASH = "\u2014 "
Case = dict[str, Any]


def line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"{DASH}{name} {b64(key_id + signature)}\n"


def keys() -> None:
    vkey = go("note")["vkey"]
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    other = b"\x01" + reference.leaf(b"another key")
    known = [
        {"vkey": vkey},
        {"vkey": go("note")["witness_vkey"]},
        {"vkey": NEUMANN_VKEY},
    ]
    refusals = [
        ("empty", "", "name+id+key"),
        ("without a key", f"{name}+{key_id}", "name+id+key"),
        ("without a name", f"+{key_id}+{encoded}", "cannot name a key"),
        ("a space in the name", f"a b+{key_id}+{encoded}", "cannot name a key"),
        ("a no-break space in the name", f"a\u00a0b+{key_id}+{encoded}", "cannot name a key"),
        ("a tab in the name", f"a\tb+{key_id}+{encoded}", "cannot name a key"),
        ("another name", f"{name}x+{key_id}+{encoded}", "is not that of this name and key"),
        ("another key", f"{name}+{key_id}+{b64(other)}", "is not that of this name and key"),
        ("another id", f"{name}+00000000+{encoded}", "is not that of this name and key"),
        ("the id in upper case", f"{name}+{key_id.upper()}+{encoded}", "is not that of"),
        ("the id shortened", f"{name}+{key_id[1:]}+{encoded}", "is not that of"),
        ("no base64", f"{name}+{key_id}+{encoded[:-1]}!", "is not base64"),
        (
            "base64 cut",
            f"{name}+{key_id}+{encoded.rstrip('=')[:-1]}",
            "is not base64",
        ),
        ("base64 of the URL alphabet", f"{name}+{key_id}+{'-' + encoded[1:]}", "is not base64"),
        ("a key of one byte", f"{name}+{key_id}+ARo=", "type 01, 32 bytes"),
        ("another spelling of the base64", f"{name}+{key_id}+ARp=", "not the one base64 spelling"),
        ("a key of 31 bytes", f"{name}+{key_id}+{b64(raw[:-1])}", "type 01, 32 bytes"),
        ("a key of 33 bytes", f"{name}+{key_id}+{b64(raw + b'x')}", "type 01, 32 bytes"),
        ("a cosigner's type", f"{name}+{key_id}+{b64(bytes([4]) + raw[1:])}", "type 01, 32 bytes"),
        ("two trailing newlines", vkey + "\n\n", "is not base64"),
        ("a leading space", " " + vkey, "cannot name a key"),
        ("two keys", f"{vkey}\n{vkey}\n", "is not base64"),
    ]
    write(
        "note/keys.json",
        MADE_BY,
        accepted=known,
        refused=[{"name": n, "vkey": v, "reason": r} for n, v, r in refusals],
    )


def notes() -> None:
    made = go("note")
    vkey, witness = made["vkey"], made["witness_vkey"]
    good = made["notes"][0]["note"]
    text, lines = good.split("\n\n")
    name, encoded = lines.removeprefix(DASH).rstrip("\n").split(" ")
    raw = base64.b64decode(encoded)
    key_id, signature = raw[:4], raw[4:]
    flipped = line(name, key_id, bytes([signature[0] ^ 1]) + signature[1:])
    foreign = line(name, bytes(4), signature)
    cases: list[Case] = [
        {"name": "the example of sumdb/note", "note": NEUMANN_NOTE, "vkeys": [NEUMANN_VKEY]},
        {"name": "a line of an unknown key beside", "note": good + foreign, "vkeys": [vkey]},
        {
            "name": "two keys, one asked for",
            "note": made["notes"][4]["cosigned"],
            "vkeys": [witness],
        },
    ]
    cases += [
        {"name": f"Go's note {i}", "note": n["note"], "vkeys": [vkey]}
        for i, n in enumerate(made["notes"])
    ]
    refused: list[tuple[str, str, str]] = [
        ("no key asked for signed it", "no signature", f"{text}\n\n{foreign}"),
        ("text changed", "does not verify", good.replace("one", "two")),
        ("text with a space more", "does not verify", good.replace("one", "one ")),
        ("signature changed", "does not verify", f"{text}\n\n{flipped}"),
        ("signature cut", "does not verify", f"{text}\n\n{line(name, key_id, signature[:-1])}"),
        (
            "signature with a byte more",
            "does not verify",
            f"{text}\n\n{line(name, key_id, signature + b'x')}",
        ),
        ("signature of zeros", "does not verify", f"{text}\n\n{line(name, key_id, bytes(64))}"),
        ("a good line, then a bad one of the same key", "does not verify", good + flipped),
        ("empty", "no empty line", ""),
        ("text alone", "no empty line", f"{text}\n"),
        ("no empty line", "no empty line", f"{text}\n{lines}"),
        ("no newline at the end", "does not end in a signature line", good[:-1]),
        ("nothing behind the empty line", "does not end in a signature line", f"{text}\n\n"),
        ("text behind the signature", "begins with an em dash", good + "more\n"),
        ("an empty line behind the signature", "does not end in a signature line", good + "\n"),
        ("a hyphen for the dash", "begins with an em dash", good.replace(DASH, "- ")),
        ("an en dash", "begins with an em dash", good.replace(DASH, "\u2013 ")),
        ("two spaces behind the name", "is not base64", good.replace(f"{name} ", f"{name}  ")),
        ("a space at the end of the line", "is not base64", good[:-1] + " \n"),
        ("a plus in the name", "cannot name a key", good.replace(name, "a+b")),
        ("no name", "cannot name a key", f"{text}\n\n{DASH} {encoded}\n"),
        ("no signature behind the name", "four-byte key id", f"{text}\n\n{DASH}{name} \n"),
        ("a key id alone", "four-byte key id", f"{text}\n\n{line(name, key_id, b'')}"),
        (
            "base64 without padding",
            "is not base64",
            f"{text}\n\n{DASH}{name} {encoded.rstrip('=')}\n",
        ),
        ("a carriage return", "control or replacement", good.replace("\n", "\r\n")),
        ("a tab in the text", "control or replacement", good.replace("one", "one\t")),
        ("a U+0000 in the text", "control or replacement", good.replace("one", "one\0")),
        ("a replacement character", "control or replacement", good.replace("one", "\ufffd")),
        ("a byte order mark before it", "does not verify", "\ufeff" + good),
    ]
    refused_cases = [
        {"name": n, "note": note, "vkeys": [vkey], "reason": reason} for n, reason, note in refused
    ]
    write("note/notes.json", MADE_BY, accepted=cases, refused=refused_cases)


def checkpoints() -> None:
    made = go("note")
    vkey, witness, seed = made["vkey"], made["witness_vkey"], bytes.fromhex(made["seed"])
    name, hexed, encoded = vkey.split("+", 2)
    key_id = bytes.fromhex(hexed)
    check_public_key(seed, base64.b64decode(encoded)[1:])
    root = b64(reference.root([b"0", b"1", b"2"]))

    def note(text: str) -> str:
        return f"{text}\n{line(name, key_id, sign(seed, text))}"

    def by_witness(text: str) -> str:
        return f"{text}\n{line('witness.example', bytes(4), sign(seed, text))}"

    good = f"{name}\n3\n{root}\n"
    accepted = [
        {"note": n[which], "size": n["size"], "root": n["root"], "origin": name, "vkeys": [vkey]}
        for n in made["notes"]
        if "root" in n
        for which in ("note", "cosigned")
    ]
    root_of_3 = reference.root([b"0", b"1", b"2"]).hex()
    accepted.append(
        {"note": note(good), "size": 3, "root": root_of_3, "origin": name, "vkeys": [witness, vkey]}
    )
    refused: list[tuple[str, str, str]] = [
        ("07 is another string than 7", "is not a tree size", note(f"{name}\n07\n{root}\n")),
        ("a plus before the size", "is not a tree size", note(f"{name}\n+7\n{root}\n")),
        ("a negative size", "is not a tree size", note(f"{name}\n-7\n{root}\n")),
        ("a size in Arabic digits", "is not a tree size", note(f"{name}\n\u0667\n{root}\n")),
        ("a size beyond 64 bits", "is not a tree size", note(f"{name}\n{10**20}\n{root}\n")),
        ("a size with a space", "is not a tree size", note(f"{name}\n7 \n{root}\n")),
        ("no size", "is not a tree size", note(f"{name}\n\n{root}\n")),
        ("an extension line", "three lines", note(f"{good}extension\n")),
        ("an empty line more", "three lines", note(f"{good}\n")),
        ("no root", "three lines", note(f"{name}\n3\n")),
        ("a root of 31 bytes", "31 bytes, not 32", note(f"{name}\n3\n{b64(bytes(31))}\n")),
        ("a root of 33 bytes", "33 bytes, not 32", note(f"{name}\n3\n{b64(bytes(33))}\n")),
        ("a root in hex", "48 bytes, not 32", note(f"{name}\n3\n{bytes(32).hex()}\n")),
        (
            "another spelling of the root",
            "one base64 spelling",
            note(f"{name}\n3\n{root[:-2]}5=\n"),
        ),
        ("an empty origin", "is no origin", note(f"\n3\n{root}\n")),
        ("a space in the origin", "is no origin", note(f"a b\n3\n{root}\n")),
        ("an umlaut in the origin", "is no origin", note(f"\u00fc\n3\n{root}\n")),
        ("an origin of 201 characters", "is no origin", note(f"{'a' * 201}\n3\n{root}\n")),
        ("another origin than the key's name", "but the origin is", note(f"{name}0\n3\n{root}\n")),
        ("signed by somebody else alone", "no line is by a key", by_witness(good)),
        ("size changed", "does not verify", note(good).replace("\n3\n", "\n4\n")),
        ("root changed", "does not verify", note(good).replace(root, b64(bytes(32)))),
        ("no note at all", "no empty line", good),
    ]
    write(
        "note/checkpoints.json",
        MADE_BY,
        accepted=accepted,
        refused=[{"name": n, "note": t, "vkeys": [vkey], "reason": r} for n, r, t in refused],
    )


def check_public_key(seed: bytes, public: bytes) -> None:
    """openssl finds the same public key behind the seed as Go did."""
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed
    spki = openssl(
        "pkey", "-inform", "DER", "-in", "{data}", "-pubout", "-outform", "DER", data=pkcs8
    )
    assert spki[-32:] == public


def proofs() -> None:
    made = go("proof")
    inclusion = next(p for p in made["inclusion"] if (p["index"], p["size"]) == (5, 8))
    right_edge = next(p for p in made["inclusion"] if (p["index"], p["size"]) == (6, 7))
    consistency = next(p for p in made["consistency"] if (p["old"], p["new"]) == (6, 8))
    power = next(p for p in made["consistency"] if (p["old"], p["new"]) == (512, 66000))
    zero = "00" * 32
    inclusions: list[Case] = []
    for good, label in ((inclusion, "5 of 8"), (right_edge, "6 of 7")):
        path = good["path"]
        for name, reason, change in (
            ("no path", "shorter", {"path": []}),
            ("the last hash missing", "shorter", {"path": path[:-1]}),
            ("the first hash missing", "shorter", {"path": path[1:]}),
            ("a hash more at the end", "longer", {"path": [*path, zero]}),
            ("a hash more at the start", "longer", {"path": [zero, *path]}),
            ("the root as a hash more", "longer", {"path": [*path, good["root"]]}),
            ("two hashes exchanged", "another root", {"path": [path[1], path[0], *path[2:]]}),
            ("reversed", "another root", {"path": path[::-1]}),
            ("a hash of zeros", "another root", {"path": [zero, *path[1:]]}),
            ("another leaf", "another root", {"leaf": path[0]}),
            ("a node passed off as leaf", "another root", {"leaf": good["root"]}),
            (
                "the neighbour's index",
                "another root" if good is inclusion else "shorter",
                {"index": good["index"] - 1},
            ),
            ("the index behind the end", "outside", {"index": good["size"]}),
            ("a negative index", "outside", {"index": -1}),
            ("an empty tree", "outside", {"size": 0, "index": 0}),
            ("twice the size", "shorter", {"size": good["size"] * 2}),
            ("an index and a size far off", "longer", {"size": 2, "index": 1}),
        ):
            inclusions.append({"name": f"{label}: {name}", "reason": reason, **good, **change})
    consistencies: list[Case] = []
    for good, label in ((consistency, "6 to 8"), (power, "512 to 66000")):
        path = good["path"]
        swap = {"old_root": good["new_root"], "new_root": good["old_root"]}
        for name, reason, change in (
            ("no path", "empty", {"path": []}),
            ("the last hash missing", "shorter", {"path": path[:-1]}),
            ("a hash more at the end", "longer", {"path": [*path, zero]}),
            ("a hash more at the start", "longer", {"path": [zero, *path]}),
            ("reversed", "does not lead to", {"path": path[::-1]}),
            ("a hash of zeros", "does not lead to", {"path": [*path[:-1], zero]}),
            (
                "another older root",
                "older root" if good is consistency else "newer root",
                {"old_root": zero},
            ),
            ("another newer root", "newer root", {"new_root": zero}),
            ("the roots exchanged", "does not lead to", swap),
            ("the sizes exchanged", "no tree of", {"old": good["new"], "new": good["old"]}),
            ("from nothing", "no tree of", {"old": 0}),
            ("from a negative size", "no tree of", {"old": -1}),
            ("the same size", "need no path", {"old": good["new"]}),
        ):
            consistencies.append({"name": f"{label}: {name}", "reason": reason, **good, **change})
    same = {"old": 8, "new": 8, "path": [], "old_root": zero, "new_root": consistency["new_root"]}
    consistencies.append({"name": "8 to 8: two roots", "reason": "different roots", **same})
    write("proof/inclusion.json", MADE_BY, refused=inclusions)
    write("proof/consistency.json", MADE_BY, refused=consistencies)
    files(made)


def files(made: dict[str, Any]) -> None:
    good = next(f["text"] for f in made["files"] if f["index"] == 5)
    other = next(f["text"] for f in made["files"] if f["index"] == 3)
    magic, extra, index, *path = good.split("\n\n")[0].split("\n")
    note = good.split("\n\n", 1)[1]

    def file(*head: str, end: str = note) -> str:
        return "\n".join(head) + "\n\n" + end

    change: Callable[..., str] = good.replace
    refused: list[tuple[str, str, str]] = [
        ("empty", "no proof file", ""),
        ("another format", "no proof file", change("@v1", "@v2")),
        ("a byte order mark before it", "no proof file", "\ufeff" + good),
        ("carriage returns", "no proof file", change("\n", "\r\n")),
        ("no checkpoint", "no proof file", good.split("\n\n")[0] + "\n"),
        ("no extra line", "no `extra` line", file(magic, index, *path)),
        ("extra behind index", "no `extra` line", file(magic, index, extra, *path)),
        ("extra that is no base64", "is not base64", change(extra, "extra ?")),
        ("extra without padding", "is not base64", change(extra, extra.rstrip("="))),
        ("another entry's header", "is not in the tree", change(extra, "extra NA==")),
        ("no index line", "no `index` line", file(magic, extra, *path)),
        ("the index with a zero before it", "no `index` line", change(index, "index 05")),
        ("a negative index", "no `index` line", change(index, "index -5")),
        ("an index that is no number", "no `index` line", change(index, "index five")),
        ("a space behind the index", "no `index` line", change(index, index + " ")),
        ("another index", "is not in the tree", change(index, "index 4")),
        ("the index behind the end", "outside a tree", change(index, "index 8")),
        ("a hash missing", "shorter", file(magic, extra, index, *path[1:])),
        ("a hash more", "longer", file(magic, extra, index, *path, b64(bytes(32)))),
        (
            "two hashes exchanged",
            "is not in the tree",
            file(magic, extra, index, path[1], path[0], path[2]),
        ),
        (
            "a hash of 31 bytes",
            "does not have 32 bytes",
            file(magic, extra, index, b64(bytes(31)), *path[1:]),
        ),
        (
            "a hash in hex",
            "does not have 32 bytes",
            file(magic, extra, index, "00" * 32, *path[1:]),
        ),
        (
            "a comment between the hashes",
            "is not base64",
            file(magic, extra, index, *path, "# the end"),
        ),
        (
            "another tree's checkpoint",
            "is not in the tree",
            file(magic, extra, index, *path, end=other.split("\n\n", 1)[1]),
        ),
        ("the checkpoint's size changed", "does not verify", change("\n8\n", "\n9\n")),
        ("the checkpoint unsigned", "the checkpoint:", good.split(DASH)[0]),
        ("text behind the signature", "the checkpoint:", good + "more\n"),
        (
            "signed by somebody else",
            "no line is by a key",
            change("example.org/ledger", "example.net/ledger"),
        ),
    ]
    write(
        "proof/files.json",
        MADE_BY,
        vkey=made["vkey"],
        refused=[{"name": n, "text": t, "reason": r} for n, r, t in refused],
    )


def main() -> None:
    keys()
    notes()
    checkpoints()
    proofs()
