"""WebSockets that speak in JSON frames: how they are opened, what holds for all of them, and how they end."""
