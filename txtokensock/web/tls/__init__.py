"""
TLS to a server: whom to trust, what to show, and what went wrong, in words.
"""
