"""JSON that the database writes: how a row becomes JSON is said once, and each reader says what it wants of it."""
