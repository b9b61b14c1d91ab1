"""The part of `core` that knows HTTP: errors, middleware (pure ASGI), dependencies, conditional requests, files."""
