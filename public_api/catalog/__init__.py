"""Products and categories over REST."""
