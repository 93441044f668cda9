"""What an audit record is, as values and as canonical text."""
