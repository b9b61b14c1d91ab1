"""The shop's events: their types, the envelope, and who may see which."""
