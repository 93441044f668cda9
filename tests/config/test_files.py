"""The files that ship: each loads, and none has drifted from the model."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from audit_receiver.config.load import load, parse
from audit_receiver.config.model import FIELDS, Config
from audit_receiver.record.aliases import ALIASES
from tools import config_schema

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of the model, dotted."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        found.add(key)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in kinds:
            if (
                isinstance(kind, type)
                and issubclass(kind, BaseModel)
                and "Endpoint" not in str(kind)
            ):
                found |= keys(kind, f"{key}.")
    return found


def leaves(tree: Any, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in tree.items():
        found.add(f"{prefix}{key}")
        if isinstance(value, dict) and key != "fields":
            found |= leaves(value, f"{prefix}{key}.")
    return found


def test_the_commented_file_is_the_embedded_default() -> None:
    embedded = resources.files("audit_receiver.config").joinpath("default.yaml").read_text()
    assert (CONFIG / "audit-receiver.yaml").read_text() == embedded


def test_the_commented_file_has_every_key_and_says_the_defaults() -> None:
    text = (CONFIG / "audit-receiver.yaml").read_text()
    found = leaves(YAML(typ="safe").load(text))
    inside = {key for key in keys(Config) - found if re.search(r"\.(tls|auth)\.", key)}
    assert found == keys(Config) - inside  # what is off by default has its keys in a comment
    for key in inside:
        assert re.search(rf"^ *#   {key.rpartition('.')[2]}: ", text, re.MULTILINE), key
    assert parse(text, "default", {}) == Config()


def test_the_document_has_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    told = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    sections = {key for key in keys(Config) if any(k.startswith(f"{key}.") for k in keys(Config))}
    optional = {"receivers.otlp.protocols", "telemetry.health", "telemetry.metrics"}
    assert told == (keys(Config) - sections) | optional


def test_the_examples_in_the_document_load() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        parse(example, "example", {})


@pytest.mark.parametrize("name", ["audit-receiver", "production", "container"])
def test_the_files_that_ship_load(name: str) -> None:
    load(str(CONFIG / f"{name}.yaml"), {})


def test_the_sidecars_embedded_configuration_loads() -> None:
    documents = list(YAML(typ="safe").load_all(CONFIG / "kubernetes-sidecar.yaml"))
    embedded = next(d for d in documents if d["kind"] == "ConfigMap")["data"]["config.yaml"]
    parse(embedded, "sidecar", {})


def test_production_never_starts_a_new_history_by_accident() -> None:
    assert load(str(CONFIG / "production.yaml"), {}).ledger.create == "never"


def test_the_schema_for_editors_is_fresh() -> None:
    assert (CONFIG / "audit-receiver.schema.json").read_text() == config_schema.text()


def test_the_fields_are_those_of_the_alias_table() -> None:
    assert sorted(FIELDS) == sorted(ALIASES)


def test_the_collectors_configuration_has_both_pipelines_and_never_gives_up() -> None:
    tree = YAML(typ="safe").load(CONFIG / "collector.yaml")
    assert {"traces/audit", "logs/audit"} == set(tree["service"]["pipelines"])
    exporter = tree["exporters"]["otlphttp/audit"]
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert exporter["sending_queue"]["storage"] in tree["service"]["extensions"]
    assert tree["extensions"]["file_storage/audit"]["fsync"] is True
    for pipeline in tree["service"]["pipelines"].values():
        assert pipeline["exporters"] == ["otlphttp/audit"]
        assert not any("sampl" in name for name in pipeline["processors"])


def test_the_image_runs_as_nobody_and_stops_by_sigterm() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for line in ("USER 65532:65532", "STOPSIGNAL SIGTERM", "VOLUME /data", "--require-hashes"):
        assert line in text
