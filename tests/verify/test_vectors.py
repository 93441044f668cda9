"""The chain vectors, judged by the verifier: it breaks where they say."""

from typing import Any

import pytest

from audit_receiver.verify.entries import EntryChecker
from audit_receiver.verify.findings import Findings
from tests.tlog.vectors import cases


@pytest.mark.parametrize("case", cases("chain/chain.json", "cases"))
def test_the_verifier_finds_a_break_where_the_vector_says(case: dict[str, Any]) -> None:
    findings = Findings()
    checker = EntryChecker(findings, lambda *_: None)
    for seq, (header, digest) in enumerate(case["entries"]):
        checker.feed(seq, header, bytes.fromhex(digest), None)
    checker.finish(len(case["entries"]))
    found = [f for f in findings.sorted() if f.kind != "body_missing"]
    if "at" not in case:
        assert found == []
        return
    near = range(case["at"] - 1, case["at"] + 1)
    assert found
    assert any(f.first in near for f in found), found
