"""Who still uses what: operations that are registered, and what is deprecated."""
