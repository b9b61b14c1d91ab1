"""Models: what they are, where they come from, and how they are served. Knows no product."""
