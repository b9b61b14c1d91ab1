"""Support chat: rooms, what is said in them, and who is there."""
