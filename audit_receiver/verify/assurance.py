"""How much a result is worth: the level of assurance, and what it rests on (threat model)."""

from collections.abc import Sequence

from audit_receiver.verify.anchors import AnchorChecker
from audit_receiver.verify.report import Assurance, Incarnation, Level
from audit_receiver.verify.stored import StoredChecker


def level(
    findings: bool,
    pinned: bool,
    incarnations: Sequence[Incarnation],
    outside: AnchorChecker,
    stored: StoredChecker,
) -> Assurance:
    """The highest level that is reached for the entries up to the last anchor, in words why."""
    if findings:
        return Assurance("NONE", ("what was found contradicts the ledger",))
    reached: Level = "LOCAL_CHAINED"
    rests = ["the ledger's hashes, tree and signatures, which agree with each other"]
    unvouched = _unknown(incarnations)
    if not pinned:
        rests.append("the key named in the file or beside it: whoever rewrote it could replace it")
    elif not unvouched:
        reached = "SIGNED"
        rests.append("the verifier key from outside (--vkey)")
    if pinned and len(incarnations) > 1:
        rests += [
            f"from entry {one.first} on a key that only the recover entry names: pin it as well,"
            " with another --vkey"
            for one in unvouched
        ]
    if outside.anchored_size:
        reached = "ANCHORED"
        rests.append(f"up to size {outside.anchored_size:,}: {outside.anchored_by}")
    if stored.witnessed_size:
        reached = "WITNESSED"
        rests.append(f"up to size {stored.witnessed_size:,}: cosigned by {stored.witnesses}")
    return Assurance(reached, tuple(rests))


def unjudged(incarnations: Sequence[Incarnation]) -> list[Incarnation]:
    """Those that no head by a known key covers; one of a later incarnation covers them as well."""
    pinned = [place for place, one in enumerate(incarnations) if one.key_pinned]
    behind = incarnations[pinned[-1] :] if pinned else incarnations
    return _unknown(behind)


def _unknown(incarnations: Sequence[Incarnation]) -> list[Incarnation]:
    """Those whose key neither came from outside nor was signed for by one that did."""
    unvouched: list[Incarnation] = []
    known = False
    for one in incarnations:
        known = one.key_pinned or (known and one.key_vouched)
        if not known:
            unvouched.append(one)
    return unvouched
