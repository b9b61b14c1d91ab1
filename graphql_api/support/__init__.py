"""Support chat in the schema."""
