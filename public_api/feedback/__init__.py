"""What was done with answers of models."""
