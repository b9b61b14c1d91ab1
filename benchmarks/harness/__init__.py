"""How servers are compared: processes and what they use, load, checks of answers, and peers that are installed."""
