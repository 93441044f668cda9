"""Checkpoints in whatever text keeps them: notes one after another, JSON lines, a log pipeline's.

Notes are found by their form, not by what stands between them, so that one reader serves a file
anchor's file, a folder of notes, the lines on standard output and what a log pipeline made of them.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_DEPTH = 24  # of JSON inside JSON
_NOTE = re.compile(
    r"^(?P<text>[A-Za-z0-9._~\-/]{1,200}\n(?:0|[1-9][0-9]{0,18})\n[A-Za-z0-9+/]{43}=\n\n"
    r"(?:\u2014 [^\s+]+ [A-Za-z0-9+/]+={0,2}\n)+)",
    re.MULTILINE,
)


def notes(text: str) -> Iterator[str]:
    """Every checkpoint note in the text, in order."""
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    for match in _NOTE.finditer(text):
        yield match["text"]
    for line in text.split("\n"):
        if line[:1] in ("{", "[") and "note" in line:
            yield from _in_json(line, MOST_DEPTH)


def _in_json(text: str, depth: int) -> Iterator[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from _in_value(value, depth)


def _in_value(value: Any, depth: int) -> Iterator[str]:
    if depth <= 0:
        return
    if type(value) is str:
        for match in _NOTE.finditer(value):
            yield match["text"]
        if value[:1] == "{":  # a pipeline that wrapped our line into one of its own
            yield from _in_json(value, depth - 1)
    elif type(value) is dict or type(value) is list:
        for inner in value.values() if type(value) is dict else value:
            yield from _in_value(inner, depth - 1)
