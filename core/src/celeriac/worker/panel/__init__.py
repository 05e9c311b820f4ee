"""Remote control, from the side of whoever obeys: the mailbox, and the commands by what they are about."""
