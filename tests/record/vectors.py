"""Reading the golden vectors of this room."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

from audit_receiver.record import canonical

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> dict[str, Any]:
    """One file of vectors."""
    found: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return found


def cases(name: str) -> list[Any]:
    """The cases of a file, as pytest wants them."""
    return load(name)["cases"]


def value_of(given: dict[str, Any], flags: set[str]) -> Any:
    """An OTLP value of a vector as a canonical value."""
    ((kind, inner),) = given.items()
    match kind:
        case "null":
            return None
        case "bool":
            return inner
        case "string":
            return canonical.of_string(base64.b64decode(inner), flags)
        case "int":
            return canonical.of_int(int(inner))
        case "double":
            return canonical.of_double(struct.unpack(">d", bytes.fromhex(inner))[0])
        case "bytes":
            return canonical.of_bytes(base64.b64decode(inner))
        case "protobuf":
            return canonical.raw_value(base64.b64decode(inner), flags)
        case "array":
            return [value_of(item, flags) for item in inner]
        case "map":
            return {
                canonical.key(base64.b64decode(key), flags): value_of(item, flags)
                for key, item in inner
            }
        case _:
            raise AssertionError(kind)
