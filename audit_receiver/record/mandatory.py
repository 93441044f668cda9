"""What OpenTelemetry's audit draft (OTEP 0267, data model) asks of every record on `/v1/audit`."""

from audit_receiver.record.model import Observation

ATTRIBUTES = (
    "audit.record.id",
    "audit.actor.id",
    "audit.actor.type",
    "audit.action",
    "audit.outcome",
)
ACTOR_TYPES = ("user", "service", "system")
OUTCOMES = ("success", "failure", "unknown")


def lacking(observation: Observation) -> str:
    """What a record lacks or gets wrong, in words; "" if it may be taken."""
    otlp, attributes = observation.otlp, observation.attributes
    if "time" not in otlp:
        return "time_unix_nano is not set"
    if "observed_time" not in otlp:
        return "observed_time_unix_nano is not set"
    if otlp["time"] > otlp["observed_time"]:
        return "time_unix_nano is after observed_time_unix_nano"
    if not otlp.get("event_name"):
        return "event_name is empty"
    for name in ATTRIBUTES:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            return f"the attribute {name} is missing, empty or no string"
    if attributes["audit.actor.type"] not in ACTOR_TYPES:
        return f"audit.actor.type is none of {', '.join(ACTOR_TYPES)}"
    if attributes["audit.outcome"] not in OUTCOMES:
        return f"audit.outcome is none of {', '.join(OUTCOMES)}"
    return ""
