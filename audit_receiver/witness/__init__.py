"""A witness (C2SP tlog-witness): remembers one tree head a log and cosigns what extends it."""
