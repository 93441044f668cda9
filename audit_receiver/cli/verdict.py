"""A verification's report in words: the verdict, what was found, what was checked, what to do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from audit_receiver.cli.output import count_of, safe
from audit_receiver.verify.findings import KINDS, Finding, span_of
from audit_receiver.verify.report import Incarnation, VerifyReport, verdicts

SHOWN = 50  # findings that a person reads; `--format json` has them all
FEW = 3  # of what a recovery declares lost, and the last
MOST_BRACKETS = 5  # the newest
_STRUCTURE = ", the file's structure"
LONG = 70  # characters of an expected or found value


def in_words(report: VerifyReport, ledger: Path, key: str, advised: bool = True) -> Iterator[str]:
    """The lines to print; `key` says where the verifier key came from."""
    yield headline(report)
    if report.findings:
        yield ""
        yield from _findings(report)
    if report.undecided:
        yield ""
        yield "Could not be judged:"
        yield from (f"  {safe(reason)}" for reason in report.undecided)
    yield ""
    yield from _told(report)
    yield ""
    yield from _checked(report, key)
    if advised and (advice := _advice(report, ledger)):
        yield ""
        yield from advice


def headline(report: VerifyReport) -> str:
    """The verdict in one line; that a ledger was recovered belongs to it."""
    return _verdict(report) + _recovered(report)


def _recovered(report: VerifyReport) -> str:
    recoveries, lost = len(report.incarnations) - 1, sum(len(o.lost) for o in report.incarnations)
    if recoveries < 1 and not lost:
        return ""
    how = f"recovered {count_of(recoveries, 'time')}" if recoveries > 0 else "begun anew"
    what = f"; {count_of(lost, 'outside checkpoint')} declared lost" if lost else ""
    return f". It was {how}{what}: see below"


def _verdict(report: VerifyReport) -> str:
    size = count_of(report.size, "entry")
    if report.verdict == "tampered":
        return f"DOES NOT HOLD: {count_of(len(report.findings), 'finding')} in {size}"
    if report.verdict == "undecided":
        return f"COULD NOT JUDGE: not everything about {size} could be checked"
    if report.verdict == "intact":
        return (
            f"INTACT: {size} hold, and the checkpoint of size {report.anchored_size:,} covers every"
            " record"
        )
    holds = f"HOLDS, NOT ANCHORED OUTSIDE: nothing contradicts {size}"
    if not report.unanchored:
        return f"{holds}, but no checkpoint from outside was given"
    since = f" since {report.unanchored_since[:19]}Z" if report.unanchored_since else ""
    records = count_of(report.unanchored, "record") + since
    if not report.anchored_size:
        return f"{holds}, but no checkpoint from outside covers its {records}"
    return f"{holds}, but {records} came after the checkpoint of size {report.anchored_size:,}"


def _told(report: VerifyReport) -> Iterator[str]:
    """Each verdict by itself, what is as a signed entry allows, and what the result is worth."""
    told = verdicts(report)
    found = [kind for kind in KINDS if told[kind]["findings"]]
    if found:
        yield f"Found     {', '.join(map(_word, found))}"
    yield f"Not found {', '.join(_word(kind) for kind in KINDS if kind not in found)}"
    for name, gone in (("Pruned", report.pruned), ("Erased", report.erased)):
        for some in gone[:SHOWN]:
            where = span_of(some.first, some.last)
            yield f"{name:9} the bodies of {where}, as entry {some.by} allows"
    if len(report.incarnations) > 1 or any(one.lost for one in report.incarnations):
        for number, one in enumerate(report.incarnations, 1):
            yield from _incarnation(number, one)
    for bracket in report.brackets[-MOST_BRACKETS:]:
        yield safe(
            f"Time      entries before {bracket.size:,} existed before {bracket.before[:19]}Z"
            f" ({bracket.kind} of {bracket.by}); those after it were not in what was shown then"
        )
    yield f"Assurance {report.assurance.level}: {safe('; '.join(report.assurance.rests_on))}"


def _incarnation(number: int, one: Incarnation) -> Iterator[str]:
    told = f"Began     incarnation {number}, {span_of(one.first, one.last)}, origin {one.origin}"
    if number > 1:
        told += f', because "{one.reason}"' if one.reason else ", without a reason"
    yield safe(told)
    if one.unsigned:
        entries = count_of(one.unsigned, "entry")
        yield f"          {entries} before it had no signed head until then"
    yield from (safe(f"          {text}") for text in _some("lost: ", one.lost))
    yield from (safe(f"          {text}") for text in _some("", one.declared))


def _some(word: str, texts: Sequence[str]) -> Iterator[str]:
    """The first few and the last: an anchor may have a checkpoint for every ten seconds."""
    if (between := len(texts) - FEW - 1) < 2:
        yield from (word + text for text in texts)
        return
    yield from (word + text for text in texts[:FEW])
    yield f"{word}... {between:,} more; `--format json` has them all"
    yield word + texts[-1]


def _findings(report: VerifyReport) -> Iterator[str]:
    for finding in report.findings[:SHOWN]:
        yield from _finding(finding)
    if (left := len(report.findings) - SHOWN) > 0:
        yield f"  ... and {left:,} more; `--format json` has them all"


def _finding(finding: Finding) -> Iterator[str]:
    where = span_of(finding.first, finding.last)
    yield safe(f"  {where[:1].upper()}{where[1:]}: {_word(finding.kind)}: {finding.message}.")
    if finding.expected or finding.found:
        yield safe(f"      expected {_short(finding.expected)}, found {_short(finding.found)}")


def _word(kind: str) -> str:
    return kind.replace("_", " ")


def _short(text: str) -> str:
    return (text if len(text) <= LONG else text[: LONG - 3] + "...") or "nothing"


def _checked(report: VerifyReport, key: str) -> Iterator[str]:
    if report.checked_from:
        yield (
            f"Incremental: the {count_of(report.checked_from, 'entry')} before were checked by an"
            " earlier run and not read again; their tree is the one that it remembers. The file's"
            " structure was not checked."
        )
    yield (
        f"Checked: schema, {count_of(report.entries_checked, 'entry')} (bodies, subjects, chain,"
        f" canonical form, header against body), {count_of(report.heads_checked, 'tree root')},"
        f" {count_of(report.signatures_checked, 'signature')}, tree nodes"
        f"{'' if report.checked_from else _STRUCTURE}."
    )
    yield f"Origin   {safe(report.origin) or 'none'}"
    yield f"Root     {report.root or 'cannot be computed'} at size {report.size:,}"
    if report.last_received:
        yield f"Last     {safe(report.last_received)}"
    yield f"Key      {safe(key)}"
    if report.stored.checkpoints or report.stored.tokens:
        kept = f"Kept     {count_of(report.stored.checkpoints, 'published checkpoint')}, checked"
        yield f"{kept}; {count_of(report.stored.tokens, 'token')}, {report.stored.judged:,} judged"
    for why in report.stored.not_judged:
        yield safe(f"         not judged: {why}")
    for remark in report.remarks:
        yield safe(f"Note     {remark}")


def _advice(report: VerifyReport, ledger: Path) -> list[str]:
    name = safe(str(ledger))
    if report.verdict == "tampered":
        return [
            "Keep the file as it is, note who had access to it, and compare with a copy from"
            " elsewhere.",
            "A checkpoint from outside (--checkpoint) tells from which entry on it differs.",
        ]
    lines = []
    if report.verdict == "intact_unanchored":
        lines = [
            "Whoever owns this machine could have cut off or rewritten what no outside checkpoint"
            " covers.",
            f"Take one: audit-receiver checkpoint {name} --output checkpoint.txt",
            "Keep it where the operators of this machine cannot change it, and give it next time:",
            f"  audit-receiver verify {name} --vkey KEY --checkpoint checkpoint.txt",
        ]
    if report.anchored_size:
        lines.append(
            "Nobody can tell from a note whether it was kept outside; that is for you to know."
        )
    return lines
