"""Work for other processes: programs that a server starts when there is work, feeds by pipe, and may kill.

Made for what cannot be trusted with the server's own memory and time: codecs over bytes of strangers. What comes back
is JSON and bytes, never a pickle: a worker that was taken over can answer wrongly, and nothing else.
"""
