"""Limits with a name of their own, beside the budget of points. Those that fail closed stand before passwords."""

from core.ratelimit import Limit

# An account's is small: it is what stands between a short password and a guesser with many addresses.
SIGN_IN_ACCOUNT = Limit("sign-in:account", 10, 15 * 60, fails_closed=True)
SIGN_IN_ADDRESS = Limit("sign-in:address", 50, 15 * 60, fails_closed=True)  # of failures
REGISTER_ADDRESS = Limit("register:address", 60, 60, fails_closed=True)
ASSISTANT = Limit("assistant", 20, 60)  # questions of a caller: each keeps a model busy for seconds
TICKETS = Limit("tickets", 300, 60)  # of a caller: a browser asks for one each time that it comes back
ZONES = (SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, REGISTER_ADDRESS, ASSISTANT, TICKETS)
