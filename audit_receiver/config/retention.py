"""How long bodies are kept, as it is configured."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from audit_receiver.config.redact import Globs
from audit_receiver.config.section import Section

Period = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}[dw]|forever)$")]
Kinds = Annotated[tuple[Literal["span", "log", "audit", "ledger"], ...], Field(strict=False)]


class RetentionRule(Section):
    """What matches is kept so long, whatever else is said."""

    actions: Globs = ()
    kinds: Kinds = ()
    keep: Period

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not self.actions and not self.kinds:
            raise ValueError("this rule is about everything; give actions or kinds, or set `keep`")
        return self


class Retention(Section):
    """The policy of a new ledger, and whether a service applies the one in force."""

    keep: Period = "forever"
    rules: Annotated[tuple[RetentionRule, ...], Field(strict=False)] = ()
    apply: Literal["never", "daily"] = "never"

    def policy(self) -> dict[str, Any]:
        """As the genesis states it; {} where nothing is ever pruned."""
        if self.keep == "forever" and not self.rules:
            return {}
        rules = [
            {
                **({"actions": list(rule.actions)} if rule.actions else {}),
                **({"kinds": list(rule.kinds)} if rule.kinds else {}),
                "keep": rule.keep,
            }
            for rule in self.rules
        ]
        return {"keep": self.keep, **({"rules": rules} if rules else {})}
