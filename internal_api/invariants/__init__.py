"""What must always hold, as operators look after it."""
