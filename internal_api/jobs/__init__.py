"""Jobs, as operators watch over them."""
