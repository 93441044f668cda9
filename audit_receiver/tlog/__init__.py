"""What a log is: bytes and hashes, without a word of audit."""
