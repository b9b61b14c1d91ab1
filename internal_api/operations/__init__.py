"""Persisted operations and their clients, as operators see them."""
