"""Write audit_receiver/verify/released.py: the digest of every schema that was ever released.

Run it before a release that adds to the schema; it only ever adds. It makes the schema with real
SQLite and hashes what SQLite says of it, without any code of the ledger or of the verifier.
"""

import hashlib
import sqlite3
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPLICATION_ID, VERSION = 1096107597, 1


def sha3(data: bytes) -> str:
    return hashlib.sha3_256(data).hexdigest()


def main() -> None:
    connection = sqlite3.connect(":memory:")
    for name in ("schema.sql", "checkpoints.sql"):
        connection.executescript((ROOT / "audit_receiver/ledger" / name).read_text())
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))"
        " ORDER BY type, name"
    ).fetchall()
    digest = sha3("".join("\0".join(row) + "\n" for row in rows).encode())
    target = ROOT / "audit_receiver/verify/released.py"
    known = target.read_text() if target.exists() else ""
    if digest in known:
        return
    objects = "".join(
        f'            ("{kind}", "{name}"): "{sha3(sql.encode())}",\n'
        for kind, name, _, sql in rows
    )
    mine = f'    "{digest}": (\n        {VERSION},\n        {{\n{objects}        }},\n    ),\n'
    before = known[known.index("RELEASED") :].split("{\n", 1)[1].rsplit("}", 1)[0] if known else ""
    text = (
        '"""Every released schema, by its digest. Written by tools/pin_schema.py."""\n\n'
        f"APPLICATION_ID = {APPLICATION_ID}\n\n"
        "# digest of the schema: (user_version, {(type, name): SHA3-256 of the object's sql})\n"
        "RELEASED: dict[str, tuple[int, dict[tuple[str, str], str]]] = {\n" + before + mine + "}\n"
    )
    target.write_text(text)


if __name__ == "__main__":
    main()
