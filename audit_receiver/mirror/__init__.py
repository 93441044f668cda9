"""A ledger as other people's tools read it: C2SP tlog-tiles, and bodies beside them."""
