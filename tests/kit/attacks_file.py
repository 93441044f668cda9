"""Attacks on the schema, the pages and the file as a whole."""

from tests.kit.attack_model import Victim, attack

TRIGGERS = [
    f"{t}_{what}" for t in ("entry", "head", "node") for what in ("insert", "update", "delete")
]


@attack("W R", "pinned schema", "schema", **{name: name for name in TRIGGERS})
def drop_a_trigger(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.rearm()
        it.db.execute(f"DROP TRIGGER {value}")


@attack("W R", "pinned schema", "schema", **{n: n for n in ("audit_records", "ledger_events")})
def drop_a_view(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.db.execute(f"DROP VIEW {value}")


@attack("W R", "pinned schema", "schema")
def drop_an_index(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("DROP INDEX entry_actor")


@attack(
    "W R",
    "pinned schema",
    "schema index",
    **{
        "the view people query": ("audit_records", "'ledger'", "'ledger' AND actor <> 'bob'"),
        "a trigger": ("entry_update", "'append only:", "'append only :"),
        "a generated column": ("entry", "'$.subject.actor'", "'$.subject.target'"),
        "a check": ("entry", "length(hash)=32", "length(hash)>0"),
    },
)
def redefine(victim: Victim, value: tuple[str, str, str]) -> None:
    it = victim.open()
    it.rearm()
    it.rewrite_schema(value[0], lambda sql: sql.replace(*value[1:]))
    it.db.close()


@attack(
    "W R",
    "pinned schema",
    "schema",
    trigger="CREATE TRIGGER late AFTER INSERT ON entry BEGIN SELECT 1; END",
    table="CREATE TABLE labels(seq INTEGER, label TEXT)",
    view="CREATE VIEW verified AS SELECT seq FROM entry",
)
def add_to_the_schema(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.db.execute(value)


@attack("W R", "pinned schema", "schema")
def add_a_trigger_named_like_sqlites_own(victim: Victim) -> None:
    with victim.open() as it:
        it.db.execute("CREATE TRIGGER late AFTER INSERT ON entry BEGIN SELECT 1; END")
        it.db.execute("PRAGMA writable_schema=ON")
        it.db.execute(
            "UPDATE sqlite_master SET name = 'sqlite_late',"
            " sql = replace(sql, 'late', 'sqlite_late') WHERE name = 'late'"
        )


@attack("W R", "pinned schema", "schema", application="application_id=7", version="user_version=0")
def change_the_file_header(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.db.execute(f"PRAGMA {value}")


@attack(
    "W R",
    "pinned schema",
    "unreadable schema",
    **{
        "a view": "UPDATE sqlite_master SET sql = 'CREATE VIEW audit_logs AS SELECT FROM'"
        " WHERE name = 'audit_logs'",
        "a page": "UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'entry'",
        "a table": "UPDATE sqlite_master SET sql = 'nonsense' WHERE name = 'head'",
    },
)
def break_the_schema(victim: Victim, value: str) -> None:
    with victim.open() as it:
        it.rearm()
        it.db.execute("PRAGMA writable_schema=ON")
        it.db.execute(value)


@attack("W R", "only tables are read", "schema unreadable", entry="entry", head="head", node="Node")
def put_an_endless_view_in_a_tables_place(victim: Victim, value: str) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c)"
    columns = {
        "entry": "x AS seq, '' AS header, x'00' AS hash, '' AS body",
        "head": "x AS size, x'00' AS root, x'00' AS signature, 0 AS epoch",
        "node": "1 AS level, x AS idx, x'00' AS hash",
    }[value.lower()]
    it = victim.open()
    it.db.execute("PRAGMA legacy_alter_table=ON")
    it.db.execute(f"ALTER TABLE {value} RENAME TO hidden")
    it.db.execute(f"CREATE VIEW {value} AS {endless} SELECT {columns} FROM c")
    it.db.close()


@attack("R", "integrity_check", "index")
def let_indexes_read_each_others_pages(victim: Victim) -> None:
    with victim.open() as it:
        it.swap_roots("entry_actor", "entry_target")


@attack("R", "integrity_check", "unreadable index altered canonical missing head")
def damage_pages(victim: Victim) -> None:
    content, page = bytearray(victim.path.read_bytes()), 8192
    for number in range(20, 24):
        content[number * page : number * page + 200] = b"\xa5" * 200
    victim.path.write_bytes(content)
