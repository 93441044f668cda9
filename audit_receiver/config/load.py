"""From a YAML file to a Config, or to one error that names every mistake with file and line."""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audit_receiver.config import contradictions, environment, explain
from audit_receiver.config.model import Config
from audit_receiver.config.tree import Mistake, Node, NotYaml, Scalar, read, typed
from audit_receiver.errors import ConfigError

PATH_VARIABLE = "AUDIT_RECEIVER_CONFIG"
EMBEDDED = "the embedded default"
Where = tuple[str | int, ...]


def source(path: str | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """The file to read: `path`, else what $AUDIT_RECEIVER_CONFIG names; None: the embedded default.

    Raises ConfigError if either is there and empty, since a template that went wrong must not
    start a second ledger on defaults.
    """
    environ = os.environ if environ is None else environ
    if path is None:
        path = environ.get(PATH_VARIABLE)
        if path == "":
            raise ConfigError(f"${PATH_VARIABLE}: is set to nothing; name a file in it or unset it")
    if path == "":
        raise ConfigError("--config: names nothing; give --config FILE or leave it out")
    return path


def load(path: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the file that `source` names, else the embedded default.

    Raises ConfigError that lists every mistake as FILE:LINE: key: what is wrong; the mend.
    """
    environ = os.environ if environ is None else environ
    name = source(path, environ)
    if name is None:
        return parse(_embedded(), EMBEDDED, environ)
    try:
        content = Path(name).read_bytes()
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ConfigError(
            f"{name}: the configuration cannot be read: {why}; give --config FILE or unset"
            f" ${PATH_VARIABLE}"
        ) from exc
    try:
        return parse(content.decode("utf-8"), name, environ)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(
            f"{name}:{line}: is not UTF-8 text: {exc.reason}; save it as UTF-8"
        ) from exc


def parse(text: str, name: str, environ: Mapping[str, str]) -> Config:
    """A Config from YAML text; `name` is what errors call it."""
    mistakes: list[Mistake] = []
    config = None
    try:
        tree = read(text, mistakes)
    except NotYaml as exc:
        mistakes.append(exc.mistake)
    else:
        config = _Judge(tree, environ, mistakes).config()
    if config is None or mistakes:
        raise ConfigError("\n".join(f"{name}:{it.line}: {it}" for it in sorted(set(mistakes))))
    return config


def _embedded() -> str:
    return resources.files("audit_receiver.config").joinpath("default.yaml").read_text("utf-8")


class _Judge:
    """Adds to `mistakes` whatever is wrong with a tree, all of it at once."""

    def __init__(self, tree: Node, environ: Mapping[str, str], mistakes: list[Mistake]) -> None:
        self._tree = tree
        self._environ = environ
        self._mistakes = mistakes
        self._broken: set[Where] = set()  # told already: what follows from it is not told again

    def config(self) -> Config | None:
        """The configuration, if it can be read at all; its contradictions are told as well."""
        values = self._values(self._tree, ())
        config = self._validated(values)
        while config is None and self._drop(values):
            config = self._validated(values)
        if config is not None:
            for found in contradictions.find(config):
                if not any(self._is_broken(tuple(key.split("."))) for key in found.keys):
                    line = explain.line(self._tree, tuple(found.key.split(".")))
                    self._mistakes.append(Mistake(line, found.key, found.what))
        return config

    def _values(self, node: Node, where: Where) -> Any:
        """Plain Python values: what the model says is text stays text, the rest is typed."""
        if isinstance(node.value, dict):
            return {name: self._values(inner, (*where, name)) for name, inner in node.value.items()}
        if isinstance(node.value, list):
            return [self._values(inner, (*where, i)) for i, inner in enumerate(node.value)]
        replaced = environment.replace(node.value.text, self._environ)
        for wrong in replaced.wrong:
            self._mistakes.append(Mistake(node.line, explain.dotted(where), wrong))
        if replaced.wrong:
            self._broken.add(where)
            return node.value.text
        return self._meant(node.value, replaced, where)

    def _meant(self, scalar: Scalar, replaced: environment.Replaced, where: Where) -> Any:
        if not replaced.whole and not scalar.plain:
            return replaced.text
        meant = typed(replaced.text)
        if explain.is_text(where) and not (meant is None and scalar.plain and not replaced.whole):
            return None if meant is None and explain.may_be_null(where) else replaced.text
        if meant is None and replaced.whole:
            return None if replaced.text == "null" else replaced.text
        return meant

    def _validated(self, values: Any) -> Config | None:
        try:
            return Config.model_validate(values)
        except ValidationError as exc:
            for error in exc.errors():
                where = explain.place(error["loc"])
                if not self._is_broken(where):
                    self._mistakes.append(explain.mistake(error, where, self._tree))
                self._broken.add(where)
        return None

    def _is_broken(self, where: Where) -> bool:
        return any(where[: len(it)] == it or it[: len(where)] == where for it in self._broken)

    def _drop(self, values: Any) -> bool:
        """Take what is broken out of `values`, so that the rest can be judged; False: nothing."""
        dropped = False
        for where in sorted(self._broken, key=len, reverse=True):
            node = values
            for part in where[:-1]:
                node = node.get(part) if isinstance(node, dict) else None
            while where and not (isinstance(node, dict) and where[-1] in node):
                where = where[:-1]  # of a list, or of what is missing: the key above it
                node = values
                for part in where[:-1]:
                    node = node.get(part) if isinstance(node, dict) else None
            if where:
                del node[where[-1]]
                dropped = True
        return dropped
