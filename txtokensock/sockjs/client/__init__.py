"""
The SockJS client: an endpoint whose stream is a session, over one of several transports.
"""
