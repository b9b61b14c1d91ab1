"""Recommendations in the schema."""
