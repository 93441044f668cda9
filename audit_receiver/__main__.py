"""`python -m audit_receiver` is `audit-receiver`."""

from audit_receiver.cli.main import main

main()
