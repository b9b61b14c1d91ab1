"""Accounts over GraphQL: who asks, registering, signing in."""
