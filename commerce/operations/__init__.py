"""Persisted operations: the GraphQL documents that clients have registered, and what each client may send."""
