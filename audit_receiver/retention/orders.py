"""What is asked of an engine, as one JSON object: by the socket of a service, or by a command."""

import re
from collections.abc import Mapping
from typing import Any

from audit_receiver.retention.engine import Engine, RetentionError, Who
from audit_receiver.retention.policy import Policy, PolicyError
from audit_receiver.retention.ranges import Range, merged

COMMANDS = ("erase", "apply", "hold", "release", "set")
MOST_TEXT = 1000  # characters of a reason or name, which stand in an entry that never goes
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def perform(
    engine: Engine, order: Mapping[str, Any], uid: int, user: str, wall_unix_nano: int
) -> dict[str, Any]:
    """Do what is asked; returns what became of it. Raises RetentionError and what the ledger does.

    Args:
        order: `command` (one of COMMANDS), `authoriser`, `reason`, `code`; `ranges` for erase and
            hold, `hold` for hold and release, `policy` for set.
        uid, user: who asks, as the system knows it.
    """
    who = Who(
        _text(order, "authoriser"),
        _text(order, "reason"),
        _code(order, "code", required=order.get("command") == "erase"),
        uid,
        user,
    )
    match order.get("command"):
        case "erase":
            return engine.erase(_ranges(order), who)
        case "apply":
            return engine.prune(who, wall_unix_nano)
        case "hold":
            return engine.hold(_code(order, "hold"), _ranges(order), who)
        case "release":
            return engine.release(_code(order, "hold"), who)
        case "set":
            try:
                return engine.set_policy(Policy.parse(order.get("policy") or {}), who)
            except (PolicyError, TypeError, AttributeError) as exc:
                raise RetentionError(f"this is no policy: {exc}") from exc
    raise RetentionError(f"`command` is one of {', '.join(COMMANDS)}")


def _text(order: Mapping[str, Any], name: str) -> str:
    value = order.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise RetentionError(f"`{name}` is a text of 1 to {MOST_TEXT} characters")
    return value.strip()


def _code(order: Mapping[str, Any], name: str, required: bool = True) -> str:
    value = order.get(name)
    if not value and not required:
        return ""
    if not isinstance(value, str) or not _CODE.match(value):
        raise RetentionError(f"`{name}` is 1 to 64 letters, digits, dots, dashes, underscores")
    return value


def _ranges(order: Mapping[str, Any]) -> list[Range]:
    given = order.get("ranges")
    pairs = given if isinstance(given, list | tuple) else []
    for pair in pairs:
        known = isinstance(pair, list | tuple) and len(pair) == 2
        if not known or not all(type(number) is int for number in pair):
            raise RetentionError("`ranges` is an array of [first seq, last seq]")
        if not 0 <= pair[0] <= pair[1]:
            raise RetentionError(f"{pair}: a range begins at 0 or later and ends at its end")
    if not pairs:
        raise RetentionError("no entry is named: nothing to do")
    return merged((first, last) for first, last in pairs)
