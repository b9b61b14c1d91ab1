"""The assistant over GraphQL: its answers are read here, and asked for over REST."""
