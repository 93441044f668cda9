"""The bench measures what it says: fresh records, all of them kept, every target judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench import limit, report
from bench.payload import Template
from tests.kit.server import ROOT, environment


def test_every_request_of_a_load_has_fresh_records() -> None:
    template = Template(records=7, audit=True, seed=1)
    seen = set()
    for start in (1_700_000_000_000_000_000, 1_800_000_000_000_000_000):
        request = ExportTraceServiceRequest.FromString(template.fresh(start))
        spans = request.resource_spans[0].scope_spans[0].spans
        assert len(spans) == 7
        for number, span in enumerate(spans):
            seen.add((span.trace_id, span.span_id))
            assert span.start_time_unix_nano == start + number * 1_000
            assert span.end_time_unix_nano > span.start_time_unix_nano
            keys = {attribute.key for attribute in span.attributes}
            assert {"enduser.id", "audit.action", "audit.result"} <= keys
    assert len(seen) == 14


def test_the_bench_runs_and_judges_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    kept = Path(done.stderr.strip().splitlines()[-1].removeprefix("kept in "))
    result = json.loads(kept.read_text())
    kept.unlink()
    assert [(row["transport"], row["records"]) for row in result["durable"]] == [
        ("http", 1),
        ("http", 512),
        ("grpc", 1),
        ("grpc", 512),
    ]
    for row in result["durable"]:
        assert row["acknowledged"] > 0
        assert row["limit"]["schema_per_second"] > 0
        assert row["limit"]["group"] >= 1
    assert result["skipped"]["records_per_second"] > 0
    judged = {name for name, *_ in report.verdicts(result)}
    by_themselves = {"memory growth MB, 100k to 1M entries", "with two anchors, of without"}
    assert judged == set(report.TARGETS) - by_themselves
    for name in judged:
        assert name in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


@pytest.mark.parametrize(("reached", "met"), [(0.59, False), (0.61, True)])
def test_a_missed_target_is_told(reached: float, met: bool) -> None:
    row = {"transport": "http", "records": 512, "ratio": reached}
    row |= {"verify": {"entries": 1, "entries_per_second": 60_000}}
    verdicts = {name: ok for name, _, _, ok in report.verdicts({"durable": [row]})}
    assert verdicts["ratio at 512 records a request"] is met
    assert verdicts["verify entries/s"] is True


def test_the_limit_writes_the_same_entries_with_a_head_for_each_group(tmp_path: Path) -> None:
    from tests.kit.lab import LedgerLab  # here: it needs the writer's room

    lab = LedgerLab(tmp_path)
    lab.open()
    lab.close()
    lab.check()
    found = limit.measure(lab.path, tmp_path)
    [(size,)] = lab.rows("SELECT count(*) FROM entry")
    assert found.entries == size
    lab.path = tmp_path / "limit-schema-0.db"
    assert lab.rows("SELECT count(*), max(seq) FROM entry") == [(size, size - 1)]
    assert lab.rows("SELECT max(size), count(*) FROM head") == [(size, -(-size // found.group))]


def test_the_cost_of_anchors_is_the_ratio_of_medians() -> None:
    figures = {"medians": {"with": 96.0, "without": 100.0}, "ratio": 0.96}
    [(name, reached, target, met)] = report.verdicts({"anchors": figures})
    assert (name, reached, target, met) == ("with two anchors, of without", 0.96, 0.95, True)
