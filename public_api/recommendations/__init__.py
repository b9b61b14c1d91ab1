"""Recommendations in REST."""
