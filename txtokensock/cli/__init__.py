"""``tokensock``: a token-sockjs client for the command line."""

from .command import main

__all__ = ["main"]
