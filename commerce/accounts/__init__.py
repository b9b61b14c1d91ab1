"""Who calls: people who sign in, API keys, and the principal that every door asks about."""
