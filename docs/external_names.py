"""
What these pages refer to in the documentation of other projects.

intersphinx finds such names in an inventory that each project publishes. To fetch those, a
build would need the network, and would fail with it; so they are written from this table.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from pathlib import Path

from zope.interface.interface import InterfaceClass

__all__ = ["full_name", "intersphinx_mapping", "name_interfaces"]

_TWISTED = {
    "twisted.internet.address.IPv4Address": "class",
    "twisted.internet.defer.Deferred": "class",
    "twisted.internet.endpoints.serverFromString": "function",
    "twisted.internet.interfaces.IAddress": "class",
    "twisted.internet.interfaces.IOpenSSLClientConnectionCreator": "class",
    "twisted.internet.interfaces.IProtocol": "class",
    "twisted.internet.interfaces.IProtocolFactory": "class",
    "twisted.internet.interfaces.IReactorTCP": "class",
    "twisted.internet.interfaces.IReactorTime": "class",
    "twisted.internet.interfaces.IStreamClientEndpoint": "class",
    "twisted.internet.interfaces.IStreamServerEndpoint": "class",
    "twisted.internet.task.Clock": "class",
    "twisted.python.failure.Failure": "class",
    "twisted.python.filepath.FilePath": "class",
    "twisted.web.http_headers.Headers": "class",
    "twisted.web.iweb.IAgent": "class",
    "twisted.web.iweb.IPolicyForHTTPS": "class",
    "twisted.web.iweb.IRequest": "class",
    "twisted.web.resource.IResource": "class",
    "twisted.web.server.Request": "class",
    "twisted.web.server.Site": "class",
}
_PYTHON = {
    "collections.abc.Callable": "class",
    "collections.abc.Collection": "class",
    "collections.abc.Coroutine": "class",
    "collections.abc.Iterator": "class",
    "collections.abc.Mapping": "class",
    "collections.abc.MutableMapping": "class",
    "collections.abc.Sequence": "class",
    "sys.maxsize": "data",
    "types.UnionType": "class",
}

_AUTOBAHN = {"autobahn.twisted.wamp.ApplicationSession": "class"}
_OURS = (
    "txtokensock.actions.Actions",
    "txtokensock.client.token_request.Authentication",
    "txtokensock.server.IStore",
    "txtokensock.server.mount.AnyResource",
    "txtokensock.server.query.AnyRequest",
    "txtokensock.server.store.interface.AnyStore",
    "txtokensock.sockjs.Transport",
    "txtokensock.support.providers.AnyAgent",
    "txtokensock.support.providers.AnyClientEndpoint",
    "txtokensock.support.providers.AnyFactory",
    "txtokensock.support.providers.AnyTLSPolicy",
    "txtokensock.support.backoff.RetryPolicy",
    "txtokensock.web.client.proxies.ProxyOption",
    "txtokensock.web.client.request_headers.HeadersOption",
)
"""Types that annotations of ours name; the reference has each."""


def _in_python(name: str) -> str:
    return f"library/{name.rpartition('.')[0]}.html#{name}"


def _in_twisted(name: str) -> str:
    """Its reference has a page for each class, and functions on that of their module."""
    module, _, last = name.rpartition(".")
    return f"{module}.html#{last}" if last[0].islower() else f"{name}.html"


def _in_autobahn(name: str) -> str:
    return f"reference/autobahn.twisted.html#{name}"


_PROJECTS = {
    "python": ("https://docs.python.org/3/", _PYTHON, _in_python),
    "twisted": ("https://docs.twisted.org/en/stable/api/", _TWISTED, _in_twisted),
    "autobahn": ("https://autobahn.readthedocs.io/en/latest/", _AUTOBAHN, _in_autobahn),
}


def intersphinx_mapping(folder: Path) -> dict[str, tuple[str, str]]:
    """
    Write an inventory for each project into ``folder``.

    :return: the option of that name: where a project's pages are, and its inventory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (url, names, place) in _PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version:\n# zlib\n"
        lines = "".join(f"{name} py:{names[name]} 1 {place(name)} -\n" for name in names)
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress(lines.encode()))
        mapping[project] = (url, str(path))
    return mapping


def name_interfaces() -> None:
    """
    Give zope's interfaces the names that classes have, for autodoc shows objects in annotations
    by these.
    """
    for name in _TWISTED:
        module, _, last = name.rpartition(".")
        interface = getattr(import_module(module), last)
        if isinstance(interface, InterfaceClass):
            interface.__qualname__ = last


def full_name(short: str) -> str | None:
    """
    The one name of the table that ends so.  Where an annotation cannot be evaluated, as no union
    with an interface can, autodoc has only what stands in the source.
    """
    found = [name for names in (_TWISTED, _OURS) for name in names if name.endswith(f".{short}")]
    return found[0] if len(found) == 1 else None
