"""The door for frontend teams: one GraphQL schema, code first, a folder a feature."""
