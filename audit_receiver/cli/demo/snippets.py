"""The article's two snippets as an application: `python -m ...snippets grpc|http HOST:PORT`.

"How to Build a SOC 2 Audit Trail from OpenTelemetry Traces and Logs" prints a span and a log. The
span runs as printed. The log does not: current SDKs have no `opentelemetry.sdk._logs.LogRecord` to
import, and a `logging` logger sends nothing until it has a LoggingHandler and the level INFO. Both
are mended in `set_up`; `update_user_role` and `on_config_change` stand as printed.
The docs quote what lies between the marks.
"""

import logging
import sys
import warnings
from types import SimpleNamespace
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SERVICE = "user-admin"

# --- span: as printed ----------------------------------------------------------------------------
tracer = trace.get_tracer("audit-service")


def update_user_role(request: Any, user_id: str, new_role: str) -> Any:
    """Change a role, and leave a span that says who changed what."""
    with tracer.start_as_current_span("user.role.update") as span:
        # Identity attributes - who performed the action
        span.set_attribute("enduser.id", request.authenticated_user.id)
        span.set_attribute("enduser.role", request.authenticated_user.role)
        span.set_attribute("enduser.ip", request.client_ip)

        # Action attributes - what was changed
        span.set_attribute("audit.action", "role_update")
        span.set_attribute("audit.target_user", user_id)
        span.set_attribute("audit.old_value", get_current_role(user_id))
        span.set_attribute("audit.new_value", new_role)
        span.set_attribute("audit.resource_type", "user_permission")

        # Perform the actual update
        result = permission_service.update_role(user_id, new_role)

        span.set_attribute("audit.result", "success" if result else "failure")
        return result


# --- log: as printed -----------------------------------------------------------------------------
logger = logging.getLogger("audit.system")


def on_config_change(old_config: Any, new_config: Any, changed_by: str) -> None:
    """Leave a log record that says who changed the configuration."""
    logger.info(
        "System configuration changed",
        extra={
            "audit.action": "config_change",
            "audit.changed_by": changed_by,
            "audit.config_keys_modified": list(set(new_config.keys()) - set(old_config.keys())),
            "audit.change_source": "admin_api",
            "audit.severity": "high",
        },
    )


# --- what an application sets up around them, in today's spelling --------------------------------
def set_up(transport: str, endpoint: str) -> tuple[TracerProvider, LoggerProvider]:
    """Send spans and logs to an OTLP endpoint, over gRPC or HTTP."""
    spans: Any
    logs: Any
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        spans = OTLPSpanExporter(endpoint=f"http://{endpoint}", insecure=True)
        logs = OTLPLogExporter(endpoint=f"http://{endpoint}", insecure=True)
    else:
        from opentelemetry.exporter.otlp.proto.http import _log_exporter, trace_exporter

        spans = trace_exporter.OTLPSpanExporter(endpoint=f"http://{endpoint}/v1/traces")
        logs = _log_exporter.OTLPLogExporter(endpoint=f"http://{endpoint}/v1/logs")

    resource = Resource.create({"service.name": SERVICE})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracer_provider)

    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    set_logger_provider(logger_provider)
    with warnings.catch_warnings():  # the handler is moving to an instrumentation package
        warnings.simplefilter("ignore", DeprecationWarning)
        logger.addHandler(LoggingHandler(logger_provider=logger_provider))
    logger.setLevel(logging.INFO)
    return tracer_provider, logger_provider


# --- the rest of the application -----------------------------------------------------------------
permission_service = SimpleNamespace(update_role=lambda user_id, new_role: True)


def get_current_role(user_id: str) -> str:
    """What somebody was until now."""
    return "viewer"


def main(transport: str, endpoint: str, target: str) -> None:
    """Let alice make `target` an admin and carol change the configuration; send; flush."""
    tracer_provider, logger_provider = set_up(transport, endpoint)
    alice = SimpleNamespace(id="alice", role="admin")
    request = SimpleNamespace(authenticated_user=alice, client_ip="192.0.2.7")
    update_user_role(request, target, "admin")
    on_config_change({"debug": False}, {"debug": False, "rate_limit": 5}, "carol")
    flushed = tracer_provider.force_flush() and logger_provider.force_flush()
    tracer_provider.shutdown()
    logger_provider.shutdown()
    if not flushed:
        raise SystemExit("the receiver did not take the telemetry in time")


if __name__ == "__main__":
    main(*sys.argv[1:])
