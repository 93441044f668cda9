"""The ways in which a Collector's configuration loses audit records; pure, no I/O."""
