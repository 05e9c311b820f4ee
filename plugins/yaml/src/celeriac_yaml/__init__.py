"""YAML: the safe types alone, with limits."""
