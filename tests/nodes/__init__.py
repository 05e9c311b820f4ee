"""Servers and workers that tests and benchmarks start for themselves."""
