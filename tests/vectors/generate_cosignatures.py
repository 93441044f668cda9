"""Golden vectors for witnesses: mutants of what the Go program wrote (see generate.py)."""

import base64
from typing import Any

from tests.vectors.generate import b64, go, sign, write

MADE_BY = "generate_cosignatures.py: mutants of go.json, signed by openssl"
DASH = "\u2014 "
SECONDS = 1_790_000_000
Case = dict[str, Any]


def keys() -> None:
    made = go("cosignature")
    vkey, log = made["witnesses"][0], made["vkey"]
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    refusals = [
        ("empty", "", "name+id+key"),
        ("a log's key", log, "type 04, 32 bytes"),
        ("its id under type 01", f"{name}+{key_id}+{b64(bytes([1]) + raw[1:])}", "type 04"),
        ("a key of 31 bytes", f"{name}+{key_id}+{b64(raw[:-1])}", "type 04, 32 bytes"),
        ("type 06, ML-DSA-44", f"{name}+{key_id}+{b64(bytes([6]) + raw[1:])}", "type 04, 32 bytes"),
        ("another name", f"{name}x+{key_id}+{encoded}", "is not that of this name and key"),
        ("the id in upper case", f"{name}+{key_id.upper()}+{encoded}", "is not that of"),
        ("a space in the name", f"a b+{key_id}+{encoded}", "cannot name a key"),
        ("no base64", f"{name}+{key_id}+{encoded[:-1]}!", "is not base64"),
    ]
    write(
        "cosignature/keys.json",
        MADE_BY,
        accepted=[{"vkey": one} for one in made["witnesses"]],
        refused=[{"name": n, "vkey": v, "reason": r} for n, v, r in refusals],
    )


def notes() -> None:
    """One good note by hand, whose bytes openssl signed, and every way in which it fails."""
    made = go("cosignature")
    witness = made["witnesses"][0]
    name, key_id, _ = witness.split("+", 2)
    seed = bytes.fromhex(made["seed"])
    text, lines = made["cosigned"][0]["note"].split("\n\n")
    text, log_line = text + "\n", lines.split("\n")[0] + "\n"

    def line(signed: str, seconds: int, stated: int | None = None, cut: int | None = None) -> str:
        when = (seconds if stated is None else stated).to_bytes(8, "big")
        data = bytes.fromhex(key_id) + (when + sign(seed, signed))[:cut]
        return f"{DASH}{name} {b64(data)}\n"

    def cosigned(seconds: int, body: str = text, header: str = "cosignature/v1") -> str:
        return f"{header}\ntime {seconds}\n{body}"

    good = line(cosigned(SECONDS), SECONDS)
    other = text.replace("\n1\n", "\n2\n")
    refusals = [
        ("another time stated", line(cosigned(SECONDS), SECONDS, SECONDS + 1), "does not verify"),
        ("another size signed", line(cosigned(SECONDS, other), SECONDS), "does not verify"),
        ("the text alone signed", line(text, SECONDS), "does not verify"),
        ("another header", line(cosigned(SECONDS, header="cosignature/v2"), SECONDS), "not verify"),
        ("a leading zero", line(f"cosignature/v1\ntime 0{SECONDS}\n{text}", SECONDS), "not verify"),
        ("the lines signed too", line(cosigned(SECONDS) + "\n" + log_line, SECONDS), "not verify"),
        ("no final newline", line(cosigned(SECONDS).rstrip("\n"), SECONDS), "does not verify"),
        ("time zero", line(cosigned(0), 0), "is not a time and 64 bytes"),
        ("a time of 64 bits", line(cosigned(2**63), 2**63), "is not a time and 64 bytes"),
        ("without its last byte", line(cosigned(SECONDS), SECONDS, cut=-1), "not a time and 64"),
        ("milliseconds", line(cosigned(SECONDS), SECONDS, SECONDS * 1000), "does not verify"),
    ]
    write(
        "cosignature/notes.json",
        MADE_BY,
        witness=witness,
        accepted=[{"note": f"{text}\n{log_line}{good}", "time": SECONDS}],
        refused=[
            {"name": n, "note": f"{text}\n{log_line}{wrong}", "reason": r}
            for n, wrong, r in refusals
        ],
    )


def submissions() -> None:
    """Bodies of add-checkpoint that are not what the protocol asks for."""
    note = go("cosignature")["cosigned"][0]["note"]
    node = b64(bytes(range(32)))
    refusals = [
        ("empty", "", "no empty line"),
        ("no old line", f"{node}\n\n{note}", "not `old SIZE`"),
        ("a leading zero", f"old 07\n\n{note}", "not `old SIZE`"),
        ("a sign", f"old -1\n\n{note}", "not `old SIZE`"),
        ("two spaces", f"old  1\n\n{note}", "not `old SIZE`"),
        ("a size of 20 digits", f"old {10**19}\n\n{note}", "not `old SIZE`"),
        ("CR LF", f"old 1\r\n\r\n{note}", "not `old SIZE`"),
        ("no base64", f"old 1\nxyz!\n\n{note}", "is not base64"),
        ("31 bytes", f"old 1\n{b64(bytes(31))}\n\n{note}", "does not have 32 bytes"),
        ("64 hashes", f"old 1\n{(node + chr(10)) * 64}\n{note}", "63 are the most"),
    ]
    write(
        "cosignature/submissions.json",
        MADE_BY,
        accepted=[
            {"old": 0, "hashes": 0, "text": f"old 0\n\n{note}"},
            {"old": 9, "hashes": 63, "text": f"old 9\n{(node + chr(10)) * 63}\n{note}"},
        ],
        refused=[{"name": n, "text": t, "reason": r} for n, t, r in refusals],
    )


def main() -> None:
    keys()
    notes()
    submissions()
