"""An OTLP receiver that turns OpenTelemetry audit spans and logs into evidence."""

__version__ = "0.1.0"
