"""
The SockJS server: any Twisted protocol for browsers, as a twisted.web resource.
"""
