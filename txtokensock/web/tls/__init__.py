"""
TLS to a server: which certificates to trust and to show, and errors in words.
"""
