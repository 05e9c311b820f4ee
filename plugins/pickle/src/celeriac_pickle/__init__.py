"""Pickle, for programs that trust everybody who can write to their broker."""
