"""`python -m bench`: what the receiver does in a second, beside what the machine allows."""
