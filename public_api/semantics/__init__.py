"""Search by meaning over REST."""
