"""Jobs, for those who asked for them."""
