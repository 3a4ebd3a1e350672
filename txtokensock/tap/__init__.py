"""``twistd tokensock``: options to services."""

from .serve import Options, makeService

__all__ = ["Options", "makeService"]
