"""
How a client leaves its machine: TLS, proxies, cookies, headers, and HTTP on top of these.

Below SockJS and below the token request, which share it: one way out for both.
"""
