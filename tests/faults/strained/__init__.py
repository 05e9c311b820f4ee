"""What the tests of faults share: places for messages that can be made to fail, and a load of tasks on them."""
