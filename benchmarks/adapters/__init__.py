"""One module per peer: its app, a no-op, how to send one and many, and a round trip."""
