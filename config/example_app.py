"""An application that changes roles and says so: the smallest useful audit instrumentation."""

import random
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("audit-service")

while True:
    with tracer.start_as_current_span("user.role.update") as span:
        span.set_attribute("enduser.id", random.choice(["alice", "bob"]))
        span.set_attribute("client.address", "192.0.2.7")
        span.set_attribute("audit.action", "role_update")
        span.set_attribute("audit.target_user", random.choice(["carol", "dave"]))
        span.set_attribute("audit.old_value", "viewer")
        span.set_attribute("audit.new_value", "admin")
        span.set_attribute("audit.result", random.choice(["success", "denied"]))
    time.sleep(1)
