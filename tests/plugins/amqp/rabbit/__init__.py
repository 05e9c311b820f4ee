"""A server of the tests' own, and certificates."""
