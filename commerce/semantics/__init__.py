"""Products by meaning: their vectors, the index over these, and search by meaning and words together."""
