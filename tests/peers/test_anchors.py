"""Anchors `otlp` and `webhook` against programs of other people: a Collector, a webhook library."""

import base64
import json
import subprocess
import time
from pathlib import Path

import pytest

from audit_receiver.anchor.http import Peer
from audit_receiver.anchor.otlp import OtlpAnchor
from audit_receiver.anchor.webhook import WebhookAnchor
from tests.anchor.scene import published
from tests.e2e.oracle import rows, settle
from tests.kit.outside import Asked, Outside, Reply
from tests.kit.server import Server, free_port
from tests.peers import programs
from tests.peers.senders import Job, relay

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1800)]
VERIFY = """
import json, sys
from standardwebhooks import Webhook
asked = json.load(sys.stdin)
print(json.dumps(Webhook(asked["secret"]).verify(asked["body"], asked["headers"])))
"""


@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_a_real_collector_takes_a_checkpoint_and_hands_it_on_as_it_is(
    tmp_path: Path, compression: str
) -> None:
    backend = Server(tmp_path, {"select": {"names": ["audit_receiver.checkpoint"]}}).start()
    taking = f"127.0.0.1:{free_port()}"
    exporter = {"otlp_http": {"endpoint": f"http://{backend.http}"}}
    pipeline = {"receivers": ["otlp"], "exporters": ["otlp_http"]}
    file = tmp_path / "collector.json"
    file.write_text(
        json.dumps(
            {
                "receivers": {"otlp": {"protocols": {"http": {"endpoint": taking}}}},
                "exporters": exporter,
                "service": {
                    "telemetry": {"metrics": {"level": "none"}},
                    "pipelines": {"logs": pipeline},
                },
            }
        )
    )
    given = published(3)
    one = OtlpAnchor("otlp", Peer(f"http://{taking}"), f"http://{taking}", compression, {})  # type: ignore[arg-type]
    job = Job(backend.http, backend.grpc, 0, "", tmp_path)
    with relay([str(programs.collector()), "--config", str(file)], taking, job):
        await one.publish(given)
    await one.close()
    [row] = rows(backend.ledger, "SELECT event, message, attributes FROM audit_records")
    assert (row["event"], row["message"]) == ("audit_receiver.checkpoint", given.note)
    assert json.loads(row["attributes"])["audit_receiver.root"] == given.root.hex()
    settle(backend)


async def test_the_library_of_standard_webhooks_accepts_our_signature(tmp_path: Path) -> None:
    python = programs.environment_of("standardwebhooks") / "bin" / "python"
    secret = "whsec_" + base64.b64encode(bytes(range(40))).decode()
    file = tmp_path / "secret"
    file.write_text(secret)
    given = published(3)
    with Outside(lambda asked: Reply(202)) as outside:
        peer = Peer(outside.url)
        one = WebhookAnchor("webhook", peer, outside.url, {}, None, file, time.time_ns)
        await one.publish(given)
        await one.close()
        [asked] = outside.asked

    def verify(asked: Asked, secret: str) -> subprocess.CompletedProcess[str]:
        headers = {k: v for k, v in asked.headers.items() if k.startswith("webhook-")}
        text = json.dumps({"secret": secret, "body": asked.body.decode(), "headers": headers})
        return subprocess.run(
            [python, "-c", VERIFY], input=text, capture_output=True, text=True, check=False
        )

    assert json.loads(verify(asked, secret).stdout)["note"] == given.note
    assert verify(asked._replace(body=asked.body + b" "), secret).returncode != 0
    assert verify(asked, "whsec_" + base64.b64encode(bytes(40)).decode()).returncode != 0
