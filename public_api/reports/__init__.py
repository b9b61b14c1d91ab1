"""Reports, for those who may read them."""
