"""
HTTP and TLS, for both sides: how a client leaves its machine, and a site for strangers.
"""
