"""OTLP as a language: bytes to messages to observations, no sockets."""
