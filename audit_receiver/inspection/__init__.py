"""Hands of a verification: rows read by several processes, a state kept between two runs."""
