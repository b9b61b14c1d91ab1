"""Receipts of requests: where the time of each went, for a day."""
