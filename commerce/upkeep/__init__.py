"""What is forgotten when it is old."""
