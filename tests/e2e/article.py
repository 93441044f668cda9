"""The article's two snippets as a program: `python -m tests.e2e.article grpc|http ENDPOINT`.

`update_user_role` is as printed. `on_config_change` is too; what stands around it is today's
spelling: `LogRecord` is no longer in `opentelemetry.sdk._logs`, and without handler and level the
printed logger sends nothing anywhere. The docs name the difference.
"""

import logging
import sys
import warnings
from types import SimpleNamespace
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

permission_service = SimpleNamespace(update_role=lambda user_id, new_role: True)


def get_current_role(user_id: str) -> str:
    return {"bob": "viewer"}[user_id]


# ---- as printed ---------------------------------------------------------------------------------

tracer = trace.get_tracer("audit-service")


def update_user_role(request: Any, user_id: str, new_role: str) -> Any:
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


logger = logging.getLogger("audit.system")


def on_config_change(old_config: Any, new_config: Any, changed_by: str) -> None:
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


# ---- what an application sets up around it ------------------------------------------------------


def main(transport: str, endpoint: str) -> None:
    """Send both through real exporters and flush."""
    resource = Resource.create({"service.name": "audit-service"})
    if transport == "grpc":
        spans: Any = GrpcSpans(endpoint=f"http://{endpoint}", insecure=True)
        logs: Any = GrpcLogs(endpoint=f"http://{endpoint}", insecure=True)
    else:
        spans = HttpSpans(endpoint=f"http://{endpoint}/v1/traces")
        logs = HttpLogs(endpoint=f"http://{endpoint}/v1/logs")

    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracer_provider)

    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))
    set_logger_provider(logger_provider)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # it moves to an instrumentation package
        logger.addHandler(LoggingHandler(logger_provider=logger_provider))
    logger.setLevel(logging.INFO)

    alice = SimpleNamespace(id="alice", role="admin")
    update_user_role(
        SimpleNamespace(authenticated_user=alice, client_ip="192.0.2.7"), "bob", "admin"
    )
    on_config_change({"a": 1}, {"a": 1, "rate_limit": 5}, "carol")

    assert tracer_provider.force_flush()
    assert logger_provider.force_flush()
    tracer_provider.shutdown()
    logger_provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
