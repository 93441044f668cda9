"""Every check of a ledger, over values: no file, no database."""
