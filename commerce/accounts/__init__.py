"""Who calls: API keys now, people with the next release, and the principal that every door asks about."""
