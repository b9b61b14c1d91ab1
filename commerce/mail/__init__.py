"""What the shop writes to people: templates, and the queue that mail waits in."""
