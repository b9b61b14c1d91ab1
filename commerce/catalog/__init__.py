"""Products, their variants, categories and images: what the shop offers."""
