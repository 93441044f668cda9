"""`audit-receiver token`: a bearer token for one sender."""

import os
from pathlib import Path

import click

from audit_receiver.cli.output import say


@click.command("token", short_help="Make a bearer token for a sender.")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(("ingest", "read")),
    default="ingest",
    show_default=True,
    help="What its bearer may do.",
)
@click.option(
    "--append",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Add its line to this token file (made with mode 0640 if it is not there).",
)
def command(name: str, role: str, path: Path | None) -> None:
    """Make a token for the sender NAME; it is printed on stdout, once, and kept nowhere.

    \b
    In one minute:
      audit-receiver token payments --append tokens      then give the token to that pipeline
      audit-receiver token payments > payments.token     the file's line comes on stderr

    Only the token's SHA-256 goes into the file that receivers.otlp.protocols.*.auth.tokens_file
    names. The service reads it anew within a second; to take a token back, delete its line.
    """
    from audit_receiver.errors import ConfigError
    from audit_receiver.receive import tokens

    try:
        secret, line = tokens.mint(name, role)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="NAME") from exc
    if path is None:
        say(f"the line for the token file:\n{line}")
    else:
        if path.exists() and path.stat().st_size:
            if any(token.name == name for token in tokens.parse(path)):
                raise ConfigError(
                    f"{path}: has a token {name}; delete its line, or take a new name"
                )
            if not path.read_bytes().endswith(b"\n"):
                line = f"\n{line}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        with open(descriptor, "w") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        say(f"{name} was added to {path}")
    click.echo(secret)
