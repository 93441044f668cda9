"""Values of a Collector configuration that know where they stand, whether they are there or not."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from audit_receiver.config.tree import Node, Scalar, typed

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


class Part(NamedTuple):
    """A value with its dotted key; one that is missing has the line of what it is missing from."""

    node: Node | None
    key: str
    line: int

    @property
    def at(self) -> tuple[int, str]:
        """Line and key, for a finding."""
        return self.line, self.key

    @property
    def there(self) -> bool:
        """Whether the key is written in the file, be it with no value."""
        return self.node is not None

    @property
    def unknown(self) -> bool:
        """Whether it is filled in at start (`${env:NAME}`), so that nobody can judge it here."""
        scalar = self.node.value if self.node else None
        return isinstance(scalar, Scalar) and "${" in scalar.text.replace("$${", "")

    @property
    def value(self) -> Any:
        """A scalar as YAML means it; None if missing, unknown, a map or a list."""
        scalar = self.node.value if self.node else None
        if not isinstance(scalar, Scalar) or self.unknown:
            return None
        return typed(scalar.text) if scalar.plain else scalar.text

    @property
    def text(self) -> str:
        """A scalar's own text; "" if there is none, or null."""
        scalar = self.node.value if self.node else None
        return scalar.text if isinstance(scalar, Scalar) and not self._is_null() else ""

    @property
    def is_map(self) -> bool:
        """Whether keys can stand in it: a map, or nothing at all."""
        return self.node is None or isinstance(self.node.value, dict) or self.value_is_null

    @property
    def value_is_null(self) -> bool:
        """Whether the key is there with nothing behind it."""
        return isinstance(self.node and self.node.value, Scalar) and self._is_null()

    def _is_null(self) -> bool:
        return not self.unknown and self.value is None

    def get(self, *names: str) -> "Part":
        """The value at a path of keys below it."""
        part = self
        for name in names:
            inner = part.node.value if part.node else None
            node = inner.get(name) if isinstance(inner, dict) else None
            key = f"{part.key}.{name}" if part.key else name
            part = Part(node, key, node.line if node else part.line)
        return part

    def members(self) -> Iterator[tuple[str, "Part"]]:
        """The keys of a map with their values."""
        inner = self.node.value if self.node else None
        for name in inner if isinstance(inner, dict) else ():
            yield name, self.get(name)

    def entries(self) -> list["Part"]:
        """The values of a list; a single scalar counts as a list of one, as in the Collector."""
        inner = self.node.value if self.node else None
        if isinstance(inner, list):
            return [Part(node, f"{self.key}.{i}", node.line) for i, node in enumerate(inner)]
        return [self] if isinstance(inner, Scalar) and not self._is_null() else []

    def scalars(self) -> Iterator["Part"]:
        """Every scalar in it, at any depth."""
        inner = self.node.value if self.node else None
        if isinstance(inner, Scalar):
            yield self
        for _, part in self.members():
            yield from part.scalars()
        for part in self.entries() if isinstance(inner, list) else ():
            yield from part.scalars()


def seconds(part: Part, default: float) -> float | None:
    """A Go duration in seconds; `default` if it is missing, None if it cannot be known."""
    if not part.there or part.value_is_null:
        return default
    value = part.value
    if isinstance(value, int):
        return value * 1e-9  # the Collector reads a bare number as nanoseconds
    if not isinstance(value, str) or not re.fullmatch(f"(?:{_DURATION.pattern})+", value):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(value))


def kind(name: str) -> str:
    """The type in a component's id: `otlp_http` of `otlp_http/audit`."""
    return name.split("/", 1)[0].strip()
