"""Streams: what happens, handed to the clients that listen, each of which may be slow, gone, or too many."""
