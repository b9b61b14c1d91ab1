"""The door for staff: what is going on, who may do what, promotions. No docs; only signing in is open to everybody."""
