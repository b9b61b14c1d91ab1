"""Promotions: what is taken off an order, by code or by date."""
