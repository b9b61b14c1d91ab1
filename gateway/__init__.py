"""The composition root: puts the audiences together into one application, and serves it."""
