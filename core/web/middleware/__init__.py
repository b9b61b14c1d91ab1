"""Pure ASGI middleware that the audiences list in their apps. No BaseHTTPMiddleware: it costs a task a request."""
