"""What is taken out of records before they are recorded, as it is configured."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from audit_receiver.config.section import Section


def _is_pattern(text: str) -> str:
    try:
        found = re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is no regular expression: {exc}") from exc
    if found.match(""):
        raise ValueError(f"{text!r} matches nothing at all, and so every text; make it narrower")
    return text


Globs = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1), AfterValidator(_is_pattern)], ...],
    Field(strict=False),
]


class RedactRule(Section):
    """Keys (globs) or forms of values (regular expressions), and what becomes of them."""

    keys: Globs = ()
    values: Patterns = ()
    action: Literal["drop", "hash", "mask"] = "mask"

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not self.keys and not self.values:
            raise ValueError("this rule matches nothing; give keys, values or both")
        return self


class Redact(Section):
    """Redaction before recording."""

    defaults: bool = True
    rules: Annotated[tuple[RedactRule, ...], Field(strict=False)] = ()
    except_: Globs = Field(default=(), alias="except")
