"""What the tests of the pools have in place of a worker."""
