"""Kill switches: what operators have switched off, a mount or a route."""
