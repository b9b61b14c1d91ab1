"""What must always hold of the shop's books, looked after each night."""
