"""What sending costs."""
