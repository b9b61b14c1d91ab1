"""Support chat, for customers and for staff."""
