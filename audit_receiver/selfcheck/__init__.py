"""The service has its own ledger verified while it runs, by a process that disturbs nobody."""
