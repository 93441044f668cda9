"""Which exporters are the audit exporters, and which pipelines lead to them."""

from typing import NamedTuple
from urllib.parse import urlsplit

from audit_receiver.config.tree import Node
from audit_receiver.lint.parts import Part, kind

OTLP = {"otlp_http": "http", "otlphttp": "http", "otlp_grpc": "grpc", "otlp": "grpc"}
SIGNALS = ("traces", "logs")


class CannotJudge(Exception):
    """There is no audit exporter, or no pipelines, to be judged; says why and what to do."""


class Chosen(NamedTuple):
    """How the person named the audit exporter, if so."""

    exporter: str | None = None
    endpoint: str | None = None


class Pipeline(NamedTuple):
    """A pipeline with the names in it; `part` is where it stands."""

    name: str
    part: Part

    @property
    def signal(self) -> str:
        return kind(self.name)

    def named(self, role: str) -> list[Part]:
        """The component ids under `receivers`, `processors` or `exporters`."""
        return self.part.get(role).entries()

    def has(self, role: str, component: str) -> bool:
        """Whether it names this component in this role."""
        return any(part.text == component for part in self.named(role))


class Route(NamedTuple):
    """The audit exporters and every pipeline whose records come to one of them."""

    root: Part
    exporters: list[Part]
    pipelines: list[Pipeline]

    @property
    def names(self) -> list[str]:
        """The ids of the audit exporters."""
        return [part.key.removeprefix("exporters.") for part in self.exporters]

    @property
    def signals(self) -> set[str]:
        """The signals that come to an audit exporter."""
        return {pipeline.signal for pipeline in self.pipelines}


def find(tree: Node, chosen: Chosen) -> Route:
    """The route to the audit exporters. Raises CannotJudge."""
    root = Part(tree, "", tree.line)
    for section in ("exporters", "service", "service.pipelines"):
        part = root.get(*section.split("."))
        if not part.there or not part.is_map or part.value_is_null:
            said = "is filled in at start" if part.unknown else "has nothing in it to judge"
            raise CannotJudge(f"{section} {said}; lint the configuration as the Collector sees it")
    exporters = _chosen(dict(root.get("exporters").members()), chosen)
    everything = [Pipeline(*item) for item in root.get("service", "pipelines").members()]
    pipelines = [pipeline for pipeline in everything if pipeline.signal in SIGNALS]
    names = {part.key.removeprefix("exporters.") for part in exporters}
    reached = [it for it in pipelines if any(it.has("exporters", name) for name in names)]
    for pipeline in reached:  # grows while it is walked: a pipeline in front of each
        for before in pipelines:
            if before not in reached and _leads(root, before, pipeline):
                reached.append(before)
    return Route(root, exporters, reached)


def connectors(route: Route) -> list[tuple[Part, Pipeline, Pipeline]]:
    """Each connector on the way: its configuration, the pipeline before, the pipeline after."""
    return [
        (route.root.get("connectors", part.text), before, after)
        for before in route.pipelines
        for after in route.pipelines
        for part in before.named("exporters")
        if _joins(route.root, part.text, before, after)
    ]


def _leads(root: Part, before: Pipeline, after: Pipeline) -> bool:
    return any(_joins(root, part.text, before, after) for part in before.named("exporters"))


def _joins(root: Part, name: str, before: Pipeline, after: Pipeline) -> bool:
    """A connector hands records on as they are only between pipelines of one signal."""
    return (
        before.signal == after.signal
        and after.has("receivers", name)
        and root.get("connectors", name).there
    )


def _chosen(exporters: dict[str, Part], chosen: Chosen) -> list[Part]:
    there = ", ".join(exporters)
    if chosen.exporter is not None:
        if chosen.exporter not in exporters:
            raise CannotJudge(f"there is no exporter {chosen.exporter}; there are: {there}")
        return [exporters[chosen.exporter]]
    if chosen.endpoint is not None:
        wanted = _address(chosen.endpoint)
        found = [part for part in exporters.values() if wanted in _addresses(part)]
        if not found:
            raise CannotJudge(f"no exporter sends to {chosen.endpoint}; there are: {there}")
        return found
    found = [part for name, part in exporters.items() if name.endswith("/audit")]
    if not found:
        raise CannotJudge(
            f"no exporter is named .../audit; say which it is with --exporter or --endpoint;"
            f" there are: {there}"
        )
    return found


def _addresses(part: Part) -> list[str]:
    keys = ("endpoint", "traces_endpoint", "logs_endpoint")
    return [_address(part.get(key).text) for key in keys if part.get(key).text]


def _address(endpoint: str) -> str:
    """Host and port, which is what two spellings of an endpoint have in common."""
    try:
        return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").netloc.lower()
    except ValueError:
        return endpoint
