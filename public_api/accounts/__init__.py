"""Accounts over REST: registering, signing in, API keys."""
