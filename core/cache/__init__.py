"""Objects that are costly to make and the same for all processes (docs/adr/0021). Finished answers are kept elsewhere:
core.web.response_cache.
"""
