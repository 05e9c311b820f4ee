"""What servers of the tests' own are set up with."""
