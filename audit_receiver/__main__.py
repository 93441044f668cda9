"""`python -m audit_receiver` is `audit-receiver`."""

from audit_receiver.cli.main import main

if __name__ == "__main__":  # a process that `verify --jobs` starts imports this module
    main()
