"""A witness for other people's logs (C2SP tlog-witness)."""
