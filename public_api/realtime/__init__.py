"""WebSockets of the public door: the event log by channels."""
