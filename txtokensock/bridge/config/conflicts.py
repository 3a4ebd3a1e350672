"""
Conflicts between sections that are valid by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ...actions import names_overlap
from ...config.listen import Listen
from ...config.section import Problem

__all__ = ["conflicts"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def conflicts(sections: dict[str, Any]) -> Iterator[Problem]:
    """
    :param sections: those that are there, by name, each without a problem of its own.
    """
    yield from _actions(sections)
    if "http" in sections:
        listen = Listen.parse(sections["http"].listen)
        for path, host, port in _peers(sections):
            if listen.is_at(host, port):  # what we connect to cannot be where we listen
                yield Problem("http.listen", f"is port {port}, where {path} leads to")


def _actions(sections: dict[str, Any]) -> Iterator[Problem]:
    """The server's call of an action has one answer, and one rule of all sections gives it."""
    claimed: dict[str, str] = {}
    for path, action in _claims(sections):
        for other, where in claimed.items():
            if where.split(".")[0] == path.split(".")[0]:
                continue  # the section's own business
            if names_overlap(action, other):
                yield Problem(path, f"{action!r} is in conflict with {other!r}, of {where}")
        claimed[action] = path


def _claims(sections: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for section, rules in (("wamp", "actions"), ("webhooks", "calls")):
        for number, rule in enumerate(getattr(sections.get(section), rules, ())):
            yield f"{section}.{rules}[{number}].action", rule.action


def _peers(sections: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    if "upstream" in sections:
        for address in sections["upstream"].addresses():
            yield "upstream.host", address.host, address.port
    urls = [("wamp.url", getattr(sections.get("wamp"), "url", None))]
    for rules in ("channels", "calls"):
        for number, rule in enumerate(getattr(sections.get("webhooks"), rules, ())):
            urls.append((f"webhooks.{rules}[{number}].url", rule.url))
    for path, url in urls:
        parts = urlsplit(url or "")
        port = parts.port or _PORTS.get(parts.scheme)
        if parts.hostname and port:
            yield path, parts.hostname, port
