"""`audit-receiver demo`: the whole way of a record, and tampering found, on this machine."""
