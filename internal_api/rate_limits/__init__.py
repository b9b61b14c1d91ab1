"""Rate limits, as operators see and set them."""
