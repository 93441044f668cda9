"""What can be configured, how it is read, and what every mistake is called."""
