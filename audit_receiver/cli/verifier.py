"""`audit-receiver verifier`: print the standalone verifier, one file that needs only Python."""

import hashlib
from importlib import resources

import click

from audit_receiver.cli.output import say


@click.command("verifier", short_help="Print verify.py, which needs nothing but Python.")
def command() -> None:
    """Print a verifier in one file: Python's standard library only, nothing of this program.

    \b
    In one minute:
      audit-receiver verifier > verify.py
      python3 verify.py ledger.db --vkey ledger.vkey --checkpoint checkpoint.txt

    It was written from the format document alone, has under 600 lines, and answers with the exit
    codes of `audit-receiver verify`. Its SHA-256 goes to stderr; an auditor compares it with the
    one of the release, or reads the file.
    """
    content = (resources.files("audit_receiver") / "standalone" / "verify.py").read_bytes()
    click.echo(content, nl=False)
    say(f"SHA-256 {hashlib.sha256(content).hexdigest()}")
