"""Promotions, as editors keep them."""
