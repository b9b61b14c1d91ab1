"""Services of others that an answer waits for: called within a deadline, spared while they fail, and never trusted."""
