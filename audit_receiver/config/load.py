"""From a YAML file to a Config, or to one error that names every mistake with file and line."""

import difflib
import os
import re
from collections.abc import Mapping
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from audit_receiver.config.model import FIELDS, Config, Section
from audit_receiver.errors import ConfigError

PATH_VARIABLE = "AUDIT_RECEIVER_CONFIG"
EMBEDDED = "the embedded default"
_VARIABLE = re.compile(r"\$\$|\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}")
_PLAIN = {"true": True, "false": False, "null": None}


def load(path: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read `path`, else the file that $AUDIT_RECEIVER_CONFIG names, else the embedded default.

    Raises ConfigError that lists every mistake as FILE:LINE: key: what is wrong; the mend.
    """
    environ = os.environ if environ is None else environ
    path = path or environ.get(PATH_VARIABLE) or None
    if path is None:
        return parse(_embedded(), EMBEDDED, environ)
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text: {exc}") from exc
    except OSError as exc:
        raise ConfigError(
            f"{path}: the configuration cannot be read: {exc.strerror}; give --config FILE or unset"
            f" ${PATH_VARIABLE}"
        ) from exc
    return parse(text, path, environ)


def parse(text: str, name: str, environ: Mapping[str, str]) -> Config:
    """A Config from YAML text; `name` is what errors call it."""
    tree = _read(text, name)
    mistakes: list[tuple[int, str]] = []
    expanded = _expand(tree, environ, mistakes, (tree, None))
    try:
        config = Config.model_validate(expanded)
    except ValidationError as exc:
        mistakes += [_explain(error, tree) for error in exc.errors()]
    else:
        for key, wrong in config.contradictions():
            mistakes.append((_line(tree, tuple(key.split("."))), f"{key}: {wrong}"))
        if not mistakes:
            return config
    lines = [f"{name}:{line}: {what}" for line, what in sorted(set(mistakes))]
    raise ConfigError("\n".join(lines))


def _embedded() -> str:
    return resources.files("audit_receiver.config").joinpath("default.yaml").read_text("utf-8")


def _read(text: str, name: str) -> Any:
    try:
        tree = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{name}:{line}: is not YAML: {exc.problem or exc.context}") from exc
    except YAMLError as exc:
        raise ConfigError(f"{name}:1: is not YAML: {exc}") from exc
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{name}:1: a configuration is a map of keys, as in config/")
    return tree


def _expand(
    node: Any, environ: Mapping[str, str], mistakes: list[tuple[int, str]], at: tuple[Any, Any]
) -> Any:
    """The tree in plain Python values, with ${env:NAME} replaced in its scalars."""
    if isinstance(node, CommentedMap):
        return {str(k): _expand(v, environ, mistakes, (node, k)) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        return [_expand(v, environ, mistakes, (node, i)) for i, v in enumerate(node)]
    if isinstance(node, str):
        return _substitute(str(node), environ, mistakes, at)
    if isinstance(node, float):
        return float(node)
    if isinstance(node, bool) or node is None:
        return node
    return int(node) if isinstance(node, int) else str(node)


def _substitute(
    text: str, environ: Mapping[str, str], mistakes: list[tuple[int, str]], at: tuple[Any, Any]
) -> Any:
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match[1], match[2]
        if name is None:
            mistakes.append((_own_line(*at), f"{match[0]}: write ${{env:NAME}} or $$ for a dollar"))
            return ""
        found = environ.get(name)
        if found is None and default is None:
            mistakes.append(
                (
                    _own_line(*at),
                    f"${{env:{name}}}: the environment has no {name}; set it or write"
                    f" ${{env:{name}:-default}}",
                )
            )
        return found if found is not None else default or ""

    replaced = _VARIABLE.sub(value, text)
    if _VARIABLE.fullmatch(text) and text != "$$":  # a whole scalar is typed as YAML would
        if replaced in _PLAIN:
            return _PLAIN[replaced]
        if re.fullmatch(r"-?(0|[1-9][0-9]*)", replaced):
            return int(replaced)
    return replaced


def _explain(error: Any, tree: Any) -> tuple[int, str]:
    """One mistake of pydantic's in our words: (line, key: what is wrong; the mend)."""
    where = tuple(part for part in error["loc"] if part != "[key]")
    key = ".".join(str(part) for part in where) or "the file"
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        what = _unknown_key(where)
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        what = f"{_shown(given)} stands where a map of keys belongs"
    elif kind == "literal_error":
        choice = error["ctx"]["expected"]
        what = f"{_shown(given)} is none of {choice}"
    else:
        message = error["msg"].removeprefix("Value error, ")
        shown = _shown(given)
        what = message if kind == "value_error" else f"{shown}: {_said(message)}"
    return _line(tree, where), f"{key}: {what}"


def _unknown_key(where: tuple[Any, ...]) -> str:
    known = _keys_at(where[:-1])
    near = difflib.get_close_matches(str(where[-1]), known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"there is no such key; {mend}"


def _keys_at(where: tuple[Any, ...]) -> list[str]:
    """The keys that may stand in the section at `where`."""
    section: Any = Config
    for part in where:
        if part == "fields":
            return list(FIELDS)
        fields = {f.alias or name: f for name, f in section.model_fields.items()}
        kinds = [fields[part].annotation, *getattr(fields[part].annotation, "__args__", ())]
        section = next(k for k in kinds if isinstance(k, type) and issubclass(k, Section))
    return [field.alias or name for name, field in section.model_fields.items()]


def _line(tree: Any, where: tuple[Any, ...]) -> int:
    """The line (from 1) of the innermost part of `where` that the file has."""
    node, line = tree, 1
    for part in where:
        in_map = isinstance(node, CommentedMap) and part in node
        in_list = isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node)
        if in_map or in_list:
            line = _own_line(node, part)
            node = node[part]
        else:
            break
    return line


def _own_line(parent: Any, key: Any) -> int:
    if key is None:
        return 1
    place = parent.lc.key(key) if isinstance(parent, CommentedMap) else parent.lc.item(key)
    return int(place[0]) + 1


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _said(message: str) -> str:
    """Pydantic's words without its types: people write lists."""
    return (message[:1].lower() + message[1:]).replace("valid tuple", "list, as in [a, b]")
