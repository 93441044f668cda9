"""Sends log records with the Python SDK as OTLP/JSON: send.py <host:port> <count> <run>.

In an environment of its own: the JSON exporter needs other versions than the two of protobuf.
"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource


def main(endpoint: str, count: str, run: str) -> None:
    """Send so many records, each with an id of its own, and flush."""
    exporter = OTLPLogExporter(endpoint=f"http://{endpoint}/v1/logs")
    provider = LoggerProvider(resource=Resource.create({"service.name": "python-json-peer"}))
    provider.add_log_record_processor(
        BatchLogRecordProcessor(
            exporter, max_export_batch_size=50, max_queue_size=100_000, schedule_delay_millis=200
        )
    )
    logger = provider.get_logger("peer")
    for number in range(int(count)):
        logger.emit(
            LogRecord(
                event_name="audit.peer",
                severity_number=SeverityNumber.INFO,
                body=f"record {number}",
                attributes={
                    "audit.action": run,
                    "audit.record.id": f"{run}-{number}",
                    "number": number,
                },
            )
        )
    provider.force_flush(60_000)
    provider.shutdown()


main(*sys.argv[1:])
