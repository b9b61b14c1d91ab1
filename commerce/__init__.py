"""The domain: one folder a feature. Knows no HTTP and no GraphQL."""
