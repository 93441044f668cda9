"""How long bodies are kept: one period, and rules for actions and kinds that come before it."""

import fnmatch
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

FOREVER = "forever"
DAY = 86_400 * 1_000_000_000
_PERIOD = re.compile(r"([1-9][0-9]{0,5})(d|w)\Z")
KINDS = ("span", "log", "audit", "ledger")


class PolicyError(ValueError):
    """A policy that cannot be meant; the message says why."""


class Rule(NamedTuple):
    """What matches is kept so long, whatever the policy says of the rest."""

    actions: tuple[str, ...]  # globs; none: any
    kinds: tuple[str, ...]  # none: any but ledger
    keep_nanos: int | None  # None: for ever
    keep: str

    def wants(self, kind: str, action: str) -> bool:
        """Whether this rule decides about an entry."""
        if kind not in (self.kinds or ("span", "log", "audit")):
            return False
        return not self.actions or any(fnmatch.fnmatchcase(action, one) for one in self.actions)


class Policy(NamedTuple):
    """A policy; the first rule that matches decides, else `keep`. Own records need a rule."""

    keep_nanos: int | None
    keep: str
    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, stated: Mapping[str, Any]) -> "Policy":
        """From the form in which genesis, `retention` entries and configuration state it."""
        unknown = set(stated) - {"keep", "rules"}
        if unknown:
            raise PolicyError(f"a policy has keep and rules, and no {', '.join(sorted(unknown))}")
        rules = []
        for rule in stated.get("rules") or ():
            kinds, actions = tuple(rule.get("kinds") or ()), tuple(rule.get("actions") or ())
            if set(kinds) - set(KINDS):
                raise PolicyError(f"a rule's kinds are some of {', '.join(KINDS)}")
            keep = str(rule.get("keep"))
            rules.append(Rule(actions, kinds, period(keep), keep))
        keep = str(stated.get("keep") or FOREVER)
        return cls(period(keep), keep, tuple(rules))

    def stated(self) -> dict[str, Any]:
        """As genesis and `retention` entries state it; {} where nothing is ever pruned."""
        rules = [
            {
                **({"actions": list(rule.actions)} if rule.actions else {}),
                **({"kinds": list(rule.kinds)} if rule.kinds else {}),
                "keep": rule.keep,
            }
            for rule in self.rules
        ]
        if self.keep == FOREVER and not rules:
            return {}
        return {"keep": self.keep, **({"rules": rules} if rules else {})}

    @property
    def shortest_nanos(self) -> int | None:
        """The shortest period in it; None if it prunes nothing."""
        periods = [self.keep_nanos, *(rule.keep_nanos for rule in self.rules)]
        known = [one for one in periods if one is not None]
        return min(known) if known else None

    def keeps_nanos(self, kind: str, action: str) -> int | None:
        """How long the body of such an entry is kept; None: for ever."""
        for rule in self.rules:
            if rule.wants(kind, action):
                return rule.keep_nanos
        return None if kind == "ledger" else self.keep_nanos


def period(text: str) -> int | None:
    """Nanoseconds of `400d` or `8w`; None for `forever`. Raises PolicyError."""
    if text == FOREVER:
        return None
    match = _PERIOD.match(text)
    if match is None:
        raise PolicyError(f"{text!r} is no period; write 400d, 8w or forever")
    return int(match[1]) * (7 if match[2] == "w" else 1) * DAY
