"""
What goes wrong with TLS, in words.
"""

from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError

from ..errors import shorten

__all__ = ["explain", "is_tls_problem"]


def is_tls_problem(problem: BaseException) -> bool:
    """Whether it is an error of TLS's."""
    return isinstance(problem, TLSError | VerificationError)


def explain(problem: BaseException) -> str:
    """One line for people, of any error of a connection: those of TLS are lists of tuples."""
    if isinstance(problem, VerificationError):
        return "TLS: the server's certificate is for another host"
    if isinstance(problem, TLSError):
        reasons = problem.args[0] if problem.args else None
        if isinstance(reasons, list) and reasons:
            return shorten(f"TLS: {', '.join(str(reason[-1]) for reason in reasons)}")
        return "TLS: the connection broke off"
    return shorten(str(problem)) or type(problem).__name__
