"""Sends log records with the Python SDK: send.py <grpc|proto|json> <host:port> <count> <run>.

Each form is imported alone: the JSON exporter lives in an environment of its own, since it needs
other versions than the two of protobuf.
"""

import sys
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource


def exporter_of(form: str, endpoint: str) -> Any:
    """The exporter of a form."""
    if form == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Grpc

        return Grpc(endpoint=f"http://{endpoint}", insecure=True)
    url = f"http://{endpoint}/v1/logs"
    if form == "json":
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as Json

        return Json(endpoint=url)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as Http

    return Http(endpoint=url, compression=Compression.Deflate)


def main(form: str, endpoint: str, count: str, run: str) -> None:
    """Send so many records, each with an id of its own, and flush."""
    exporter = exporter_of(form, endpoint)
    provider = LoggerProvider(resource=Resource.create({"service.name": "python-peer"}))
    processor = BatchLogRecordProcessor(
        exporter, max_export_batch_size=50, max_queue_size=100_000, schedule_delay_millis=200
    )
    provider.add_log_record_processor(processor)
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
