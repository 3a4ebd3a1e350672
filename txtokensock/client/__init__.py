"""
The client: :class:`.socket.TokenSocket` is what applications hold.
"""
