"""`verify` over several ledgers that continue each other: who gets what from outside, the words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from audit_receiver.cli import verdict
from audit_receiver.cli.output import count_of, safe

if TYPE_CHECKING:
    from audit_receiver.examine import Question
    from audit_receiver.tlog.note import VerifierKey
    from audit_receiver.verify.succession import ChainReport


def questions(question: "Question", ledgers: Sequence[Path]) -> list["Question"]:
    """One question for each, with the keys and notes that have its name.

    What belongs to none of them is held against the first, which then says so.
    """
    names = [origins(path) for path in ledgers]
    known = set().union(*names)
    pins: Sequence[VerifierKey] = tuple(question.pinned or ())  # type: ignore[arg-type]
    asked = []
    for place, (path, own) in enumerate(zip(ledgers, names, strict=True)):

        def is_for(origin: str, own: set[str] = own, first: bool = place == 0) -> bool:
            return origin in own or (first and origin not in known)

        asked.append(
            replace(
                question,
                ledger=path,
                pinned=tuple(pin for pin in pins if is_for(pin.name)),
                checkpoints=[
                    one for one in question.checkpoints if is_for(one[1].partition("\n")[0])
                ],
            )
        )
    return asked


def origins(path: Path) -> set[str]:
    """Under which names a ledger says it stood; nothing of it is believed."""
    import orjson

    from audit_receiver.errors import LedgerError
    from audit_receiver.ledger.reader import Reader

    sql = (
        "SELECT body FROM main.entry WHERE seq = 0"
        " UNION ALL SELECT body FROM main.entry WHERE action = 'ledger.recover'"
    )
    found: set[str] = set()
    try:
        with Reader(path) as reader:
            for (body,) in reader.select(sql)[1]:
                found.add(str(orjson.loads(body)["event"]["origin"]))
    except (LedgerError, ValueError, KeyError, TypeError):
        return found
    return found


def in_words(report: "ChainReport") -> Iterator[str]:
    """The lines to print: the verdict over all, what is wrong between them, then each."""
    yield headline(report)
    for link in report.links:
        yield safe(f"  Between ledgers: {link.kind.replace('_', ' ')}: {link.message}.")
        yield safe(f"      expected {link.expected}, found {link.found}")
    for remark in report.remarks:
        yield safe(f"  Note: {remark}")
    for name, one in report.ledgers:
        yield ""
        yield safe(f"== {name}")
        yield from verdict.in_words(one, Path(name), "see --vkey", advised=False)


def headline(report: "ChainReport") -> str:
    """The verdict over all in one line."""
    what = f"{count_of(len(report.ledgers), 'ledger')} with {count_of(report.size, 'entry')}"
    if report.verdict == "tampered":
        return f"DOES NOT HOLD: {count_of(report.findings, 'finding')} in {what}"
    if report.verdict == "undecided":
        return f"COULD NOT JUDGE: not everything about {what} could be checked"
    if report.verdict == "intact":
        return f"INTACT: {what} hold and continue each other, and all records are covered outside"
    since = f" since {report.unanchored_since[:19]}Z" if report.unanchored_since else ""
    records = count_of(report.unanchored, "record") + since
    return (
        f"HOLDS, NOT ANCHORED OUTSIDE: nothing contradicts {what}, but no checkpoint from outside"
        f" covers {records}"
    )
