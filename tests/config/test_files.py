"""The files that ship: each loads, and none has drifted from the model."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from audit_receiver.config.anchors import KINDS, AnchorSection
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
    return found | ANCHOR_KEYS if model is Config else found


COMMON = set(AnchorSection.model_fields)  # of every anchor: told once, as anchors.timeout
ANCHOR_KEYS = {f"anchors.{key}" for key in COMMON} | {
    key
    for name, section in KINDS.items()
    for key in ({f"anchors.{name}"} | keys(section, f"anchors.{name}."))
    if key.rpartition(".")[2] not in {*COMMON, "type"}
}


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
    found = {
        f"anchors.{key.rpartition('.')[2]}"
        if re.match(r"anchors\..*\.(max_lag|timeout)$", key)
        else key
        for key in leaves(YAML(typ="safe").load(text))
    }
    inside = {
        key for key in keys(Config) - found if re.search(r"\.(tls|auth|rules)\.|^anchors\.", key)
    }
    assert found == keys(Config) - inside  # what is off by default has its keys in a comment
    for key in inside:
        last = key.rpartition(".")[2]
        assert re.search(rf"^ *#   (?:  ){{0,2}}{last}:|#  .*\{{{last}: ", text, re.MULTILINE), key
    assert parse(text, "default", {}) == Config()


def test_the_document_has_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    told = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    sections = {key for key in keys(Config) if any(k.startswith(f"{key}.") for k in keys(Config))}
    sections -= {f"anchors.{name}" for name in KINDS}
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
    exporter = tree["exporters"]["otlp_http/audit"]
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert exporter["sending_queue"]["storage"] in tree["service"]["extensions"]
    assert tree["extensions"]["file_storage/audit"]["fsync"] is True
    for pipeline in tree["service"]["pipelines"].values():
        assert pipeline["exporters"] == ["otlp_http/audit"]
        assert not any("sampl" in name for name in pipeline["processors"])


def test_the_collectors_configuration_is_spelled_as_the_version_it_names_spells_it() -> None:
    """0.146.0 has otlp_http (0.144.0), batches in the queue (0.123.0) and inferred contexts."""
    text = (CONFIG / "collector.yaml").read_text()
    tree = YAML(typ="safe").load(text)
    assert "contrib distribution, 0.146.0 or later" in text
    assert set(tree["exporters"]) == {"otlp_http/audit"}
    assert set(tree["processors"]) == {"filter/audit"}
    assert set(tree["processors"]["filter/audit"]) == {
        *("error_mode", "trace_conditions", "log_conditions")
    }
    image = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["collector"]["image"]
    checked = re.search(r"Checked with (\S+)\.\n", text)
    assert checked is not None
    assert image == f"otel/opentelemetry-collector-contrib:{checked[1]}"


def test_a_full_batch_of_the_collectors_is_within_our_limits() -> None:
    queue = YAML(typ="safe").load(CONFIG / "collector.yaml")["exporters"]["otlp_http/audit"][
        "sending_queue"
    ]
    otlp = Config().receivers.otlp
    assert otlp.protocols.http is not None
    assert queue["batch"]["sizer"] == "bytes"
    assert queue["batch"]["max_size"] < otlp.protocols.http.max_request_body_size
    consumers = 10  # num_consumers of the Collector's sending_queue, by default
    assert consumers * queue["batch"]["max_size"] < otlp.limits.in_flight_bytes


def test_systemd_takes_exit_2_as_final_and_tries_exit_1_again() -> None:
    unit = (CONFIG / "audit-receiver.service").read_text().splitlines()
    assert "Restart=on-failure" in unit
    assert "RestartPreventExitStatus=2" in unit
    # systemd.service(5): only the main process's status is looked at.
    assert not any(line.startswith("ExecStartPre=") for line in unit)


def test_the_sidecar_outlives_its_application_and_keeps_the_keys_closed() -> None:
    documents = list(YAML(typ="safe").load_all(CONFIG / "kubernetes-sidecar.yaml"))
    pod = next(d for d in documents if d["kind"] == "StatefulSet")["spec"]["template"]["spec"]
    [sidecar], [application] = pod["initContainers"], pod["containers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("audit-receiver", "Always")
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(sidecar)
    assert application["name"] == "orders"
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert pod["terminationGracePeriodSeconds"] > 2 * Config().ledger.drain


def test_what_compose_installs_is_pinned_as_our_own_senders_are() -> None:
    application = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["application"]
    [words] = re.findall(r"pip install (.*?) &&", " ".join(application["command"]))
    packages = [word for word in words.split() if not word.startswith("--")]
    pins = (ROOT / "requirements" / "dev.txt").read_text()
    assert len(packages) == 2
    for package in packages:
        assert f"\n{package} " in pins, package


def test_the_image_runs_as_nobody_and_stops_by_sigterm() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for line in (
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
        'VOLUME ["/data", "/anchor"]',
        "--require-hashes",
    ):
        assert line in text
