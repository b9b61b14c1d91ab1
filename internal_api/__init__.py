"""The door for operators: health, metrics, topology. No docs; every operation is staff's."""
