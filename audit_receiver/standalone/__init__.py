"""What an auditor runs without this program: one file, the standard library alone."""
