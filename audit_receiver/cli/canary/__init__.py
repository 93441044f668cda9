"""`audit-receiver canary`: a marked record through the real pipeline, and whether it arrives."""
