"""The flags of format 1, each with what it means (DESIGN 3.9). None is ever renamed."""

MISSING = ("actor", "action", "time", "outcome", "source", "target")
WITHHELD = (
    "action",
    "actor_type",
    "environment",
    "event",
    "service",
    "target_type",
    "tenant",
)

ALL: dict[str, str] = {
    "missing_actor": "nothing says who acted",
    "missing_action": "nothing says what was done",
    "missing_time": "the producer states no time at all",
    "missing_outcome": "nothing says success or failure",
    "missing_source": "nothing says from where",
    "missing_target": "nothing says on what",
    "observed_time": "`time` is when a log was observed; the event's own time is not stated",
    "sampled": "the trace state says that spans like this one were sampled (`th` is not 0)",
    "truncated": "the producer dropped attributes, events or links (a dropped count is not 0)",
    "late": "the event is stated more than 24 h before it was received",
    "clock_skew": "the event is stated more than 60 s after it was received",
    "clock_held": "our wall clock went back, so `received` was held at the last time plus 1 ns",
    "invalid_id": "a trace or span id has a wrong length or is all zero",
    "invalid_utf8": "a string is not valid UTF-8 or contains U+0000; it is kept as `$utf8`",
    "control_characters": "control characters in a normalised value stand there as U+FFFD",
    "raw_value": "a value that the canonical rules cannot hold is kept as `$otlp`",
    "duplicate_keys": "an attribute key repeats; the whole list is kept as `attributes_raw`",
    "duplicate": "repeats an earlier record without identity of its own: `duplicate_of`",
    "conflict": "has the identity of an earlier record, and other content",
    "sequence_gap": "numbers before it in its producer's stream had not come when it came",
    "sequence_fork": "its stream has another record at its number, or before it",
    "sequence_restart": "its producer's stream began anew",
    "sequence_after_end": "its producer's stream had said that nothing follows",
    "redacted": "something was taken out before recording; `redacted` in the body says where",
    "bad_signature": "the producer's own signature does not verify",
    **{
        f"withheld_{key}": f"`{key}` is no header token; it stands in the body only"
        for key in WITHHELD
    },
}
