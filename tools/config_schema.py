"""Write config/audit-receiver.schema.json, which editors check configurations with."""

import json
from pathlib import Path
from typing import Any

from audit_receiver.config import anchors
from audit_receiver.config.model import Config
from audit_receiver.config.values import Endpoint

TARGET = Path(__file__).resolve().parent.parent / "config" / "audit-receiver.schema.json"


def text() -> str:
    """The JSON Schema (2020-12) of a configuration."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "audit-receiver configuration",
        **Config.model_json_schema(by_alias=True),
    }
    _by_name(schema)
    return json.dumps(_plain(schema), indent=2, sort_keys=True) + "\n"


def _by_name(schema: dict[str, Any]) -> None:
    """An anchor's type is the first part of its key, and no key of its own."""
    kinds = {name: section.__name__ for name, section in anchors.KINDS.items()}
    for section in kinds.values():
        schema["$defs"][section]["properties"].pop("type")
    field = schema["properties"]["anchors"]
    del field["additionalProperties"]
    field["additionalProperties"] = False
    field["patternProperties"] = {
        f"^{name}(/.+)?$": {"anyOf": [{"$ref": f"#/$defs/{section}"}, {"type": "null"}]}
        for name, section in kinds.items()
    }


def _plain(node: Any) -> Any:
    """Defaults as a person writes them: an endpoint is host:port."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"host", "port"}:
        return str(Endpoint(**node))
    return {key: _plain(value) for key, value in node.items()}


if __name__ == "__main__":
    TARGET.write_text(text())
