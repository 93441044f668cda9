"""`audit-receiver doctor`: is this machine fit to keep a ledger, and what mends it if not."""
