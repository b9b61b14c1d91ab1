"""Orders over GraphQL: reading, placing, cancelling."""
