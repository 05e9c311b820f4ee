"""Made by `make stubs`: where each name is."""
