"""A module that no client imports."""


class Unheard(Exception):
    """An error whose class a client does not have."""
