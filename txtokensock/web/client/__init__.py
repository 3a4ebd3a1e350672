"""
How a client leaves its machine: proxies, cookies, headers, and HTTP on top of these.
"""
