"""What sending costs: carriers, what they ask, and the quotes that orders take."""
