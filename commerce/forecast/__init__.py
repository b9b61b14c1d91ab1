"""How much of a product will be asked for, by day and with an interval."""
