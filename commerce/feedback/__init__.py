"""What people did with the answers of models."""
