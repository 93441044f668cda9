"""`audit-receiver lint`: the ways in which a Collector's configuration loses audit records."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from audit_receiver.config.tree import Node
    from audit_receiver.lint.check import Report
    from audit_receiver.lint.exporter import Limits

_COLOURS = {"loses": "red", "may lose": "yellow", "note": "cyan"}


@click.command("lint", short_help="Find where a Collector's configuration loses audit data.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="COLLECTOR_YAML")
@click.option("--exporter", metavar="NAME", help="The audit exporter. Default: named .../audit.")
@click.option("--endpoint", metavar="URL", help="Or: the exporter that sends to this address.")
@click.option(
    "--config",
    "path",
    metavar="FILE",
    help="The receiver's configuration, for its limits. Default: as for `serve`.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print.",
)
def command(
    file: Path, exporter: str | None, endpoint: str | None, path: str | None, form: str
) -> int:
    """Find the ways in which a Collector's configuration loses audit records, and their mends.

    \b
    In one minute:
      audit-receiver lint collector.yaml
      audit-receiver lint collector.yaml --exporter otlp_http/store
      audit-receiver lint collector.yaml --format json | jq -r '.findings[].rule'

    Follows every pipeline and connector that leads to the audit exporter. "loses" is what the
    configuration does, "may lose" what depends on the records, "note" costs nothing yet. Values
    like ${env:NAME} are named as not judged. The rules: docs/collector.md. `-` reads stdin.
    Exit codes: 0 nothing found, 1 findings, 2 could not judge.
    """
    from audit_receiver.errors import ConfigError
    from audit_receiver.lint import check, route

    if exporter is not None and endpoint is not None:
        raise click.UsageError("--exporter and --endpoint name the same thing; give one")
    name = "stdin" if str(file) == "-" else str(file)
    tree = _tree(file, name)
    try:
        report = check.lint(tree, route.Chosen(exporter, endpoint), _limits(path))
    except route.CannotJudge as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    if form == "json":
        _print_json(report, name)
    else:
        _print_text(report, name)
    return 1 if report.findings else 0


def _tree(file: Path, name: str) -> "Node":
    from audit_receiver.config import tree
    from audit_receiver.errors import ConfigError

    content = sys.stdin.read() if str(file) == "-" else file.read_bytes()
    mistakes: list[tree.Mistake] = []
    try:
        text = content if isinstance(content, str) else content.decode()
        read = tree.read(text, mistakes)
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{name}: is not UTF-8 text: {exc.reason}; save it as UTF-8") from exc
    except tree.NotYaml as exc:
        raise ConfigError(f"{name}:{exc.mistake.line}: {exc.mistake}") from exc
    if mistakes:
        raise ConfigError("\n".join(f"{name}:{it.line}: {it}" for it in sorted(mistakes)))
    return read


def _limits(path: str | None) -> "Limits":
    from audit_receiver.config import load
    from audit_receiver.lint.exporter import Limits

    otlp = load.load(path).receivers.otlp
    sizes = []
    if otlp.protocols.http is not None:
        sizes.append(otlp.protocols.http.max_request_body_size)
    if otlp.protocols.grpc is not None:
        sizes.append(otlp.protocols.grpc.max_recv_msg_size_mib * 1024 * 1024)
    return Limits(min(sizes), otlp.limits.items, otlp.limits.deadline)


def _print_text(report: "Report", name: str) -> None:
    from audit_receiver.cli.output import count_of, safe

    for found in report.findings:
        level = click.style(found.level, fg=_COLOURS[found.level], bold=True)
        key = safe(found.key)
        click.echo(f"{safe(name)}:{found.line}: {level}: {key} [{found.rule}]")
        click.echo(f"    {safe(found.lost)}")
        for line in found.mend.splitlines():
            click.echo(f"        {safe(line)}")
        click.echo()
    for said in report.unjudged:
        click.echo(f"not judged: {safe(said)}")
    exporters = ", ".join(safe(it) for it in report.exporters)
    click.echo(f"{count_of(len(report.findings), 'finding')} for {exporters}")


def _print_json(report: "Report", name: str) -> None:
    import orjson

    findings = [found._asdict() for found in report.findings]
    whole = {
        "file": name,
        "exporters": report.exporters,
        "findings": findings,
        "not_judged": report.unjudged,
    }
    sys.stdout.buffer.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()
