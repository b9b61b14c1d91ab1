"""The door for external clients: REST under `/public`, versions side by side."""
