"""${env:NAME} and ${env:NAME:-default} in the values of a configuration."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_INNER = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)


class Replaced(NamedTuple):
    """A text with its variables replaced; `whole` if it was nothing but one of them."""

    text: str
    whole: bool
    wrong: tuple[str, ...]


def replace(text: str, environ: Mapping[str, str]) -> Replaced:
    """Replace every variable; a default may hold variables itself, `$$` is one dollar sign.

    A variable that is set to nothing counts as set, as in the Collector.
    """
    wrong: list[str] = []
    parts: list[str] = []
    variables = at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            parts.append("$")
            at = dollar + 2
        elif following == "{":
            end = _closing(text, dollar)
            if end < 0:
                wrong.append(f"{text[dollar:]}: the closing brace is missing; write ${{env:NAME}}")
                return Replaced(text, whole=False, wrong=tuple(wrong))
            parts.append(_value(text[dollar + 2 : end], environ, wrong))
            variables += 1
            at = end + 1
        else:
            parts.append("$")
            at = dollar + 1
    whole = variables == 1 and text.startswith("${") and _closing(text, 0) == len(text) - 1
    return Replaced("".join(parts) + text[at:], whole, tuple(wrong))


def _closing(text: str, dollar: int) -> int:
    """Where the `${` at `dollar` ends, over those that stand inside it; -1 if nowhere."""
    depth, at = 0, dollar
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return -1


def _value(inner: str, environ: Mapping[str, str], wrong: list[str]) -> str:
    match = _INNER.match(inner)
    if match is None:
        wrong.append(f"${{{inner}}}: write ${{env:NAME}} or $$ for a dollar")
        return ""
    name, default = match[1], match[2]
    if name in environ:
        return environ[name]
    if default is None:
        wrong.append(
            f"${{env:{name}}}: the environment has no {name}; set it or write"
            f" ${{env:{name}:-default}}"
        )
        return ""
    nested = replace(default, environ)
    wrong.extend(nested.wrong)
    return nested.text
