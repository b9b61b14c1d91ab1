"""Who may ask how often: zones, plans, and the overrides of single callers, which operators change while all runs."""
