"""Webhooks: events of the log, sent to addresses that people gave, in order and until they are taken."""
