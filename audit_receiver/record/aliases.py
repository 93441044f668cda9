"""Which attributes say what, in order: the first that says something wins.

Sources, in this order within a field: OpenTelemetry's draft audit signal, the names of the
article that many copy, today's semantic conventions, ECS. The configuration appends to a field
(`fields: {actor: [my.user]}`), it never replaces what stands here.
"""

ALIASES: dict[str, tuple[str, ...]] = {
    "action": ("audit.action", "audit.operation", "event.action", "event.type"),
    "actor": (
        "audit.actor.id",
        "enduser.id",
        "user.id",
        "audit.changed_by",
        "audit.performed_by",
        "audit.actor",
        "audit.user.id",
        "audit.user",
        "enduser.pseudo.id",
        "user.name",
        "user.email",
    ),
    "actor_type": ("audit.actor.type", "audit.actor_type", "audit.user.type"),
    "field": ("audit.change.field", "audit.field"),
    "new": ("audit.new_value", "audit.change.new", "audit.after"),
    "old": ("audit.old_value", "audit.change.old", "audit.before"),
    "outcome": ("audit.outcome", "audit.result", "audit.success", "audit.status", "event.outcome"),
    "reason": ("audit.reason", "audit.outcome.reason", "event.reason"),
    "record_id": ("audit.record.id", "log.record.uid"),
    "roles": ("audit.actor.roles", "user.roles", "enduser.role"),
    "session_id": ("audit.session.id", "session.id"),
    "source": (
        "audit.source.id",
        "client.address",
        "enduser.ip",
        "audit.source.ip",
        "audit.source_ip",
        "audit.ip",
        "source.address",
        "source.ip",
    ),
    "source_type": ("audit.source.type",),
    "target": (
        "audit.target.id",
        "audit.target_user",
        "audit.resource.id",
        "audit.resource_id",
        "audit.target_id",
        "audit.target",
        "audit.resource",
        "user.target.id",
        "user.target.name",
    ),
    "target_type": (
        "audit.target.type",
        "audit.resource.type",
        "audit.resource_type",
        "audit.target_type",
    ),
    "tenant": (),
}

SERVICE = ("service.name",)
ENVIRONMENT = ("deployment.environment.name", "deployment.environment")

# Words of an outcome: lower case, `_` and `-` read as a space.
SUCCESS = frozenset(
    {
        *("success", "successful", "succeeded", "succeed", "ok", "true", "yes"),
        *("pass", "passed", "complete", "completed", "accepted"),
        *("allow", "allowed", "grant", "granted", "approved", "permitted", "authorized"),
    }
)
FAILURE = frozenset(
    {
        *("failure", "fail", "failed", "unsuccessful", "error", "errored", "exception"),
        *("false", "no", "aborted", "cancelled", "canceled", "timeout", "timed out", "invalid"),
    }
)
DENIAL = frozenset(  # a failure, with the word as its reason where no attribute gives one
    {
        *("deny", "denied", "access denied", "permission denied", "refused", "forbidden"),
        *("reject", "rejected", "block", "blocked", "disallowed", "not allowed"),
        *("unauthorized", "unauthorised", "unauthenticated"),
    }
)
