"""Staff sign in here, and look after everybody's accounts."""
