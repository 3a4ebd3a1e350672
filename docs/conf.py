"""How Sphinx builds these pages: ``make docs``."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from docutils.nodes import Node
from sphinx.ext.intersphinx import missing_reference
from sphinx.util.nodes import make_refnode

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import config_reference  # noqa: E402
import diagrams  # noqa: E402
import error_reference  # noqa: E402
import external_names  # noqa: E402

project = "txtokensock"
author = "the txtokensock authors"
project_copyright = author
release = version = installed_version("txtokensock")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinxcontrib.towncrier",
    "sphinxcontrib.zopeext.autointerface",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"txtokensock {release}"
html_static_path = ["_static"]
html_css_files = ["terminal.css"]

highlight_language = "python"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True}

towncrier_draft_working_directory = HERE.parent

nitpicky = True
# Types of options that only this package itself gives.
nitpick_ignore = [
    ("py:class", name)
    for name in ("BoundedRequest", "Descriptors", "HTTPContext", "Refusal", "SharedWithNode")
]
nitpick_ignore += [  # type variables
    ("py:class", f"txtokensock.{name}")
    for name in (
        *("client.socket.T", "server.peer.T"),
        *("testing.host.E", "testing.host.T", "testing.results.T"),
    )
]
intersphinx_mapping = external_names.intersphinx_mapping(HERE / "_build" / "inventories")


def _by_short_name(app: Any, env: Any, node: Any, content: Any) -> Node | None:
    """Resolve the name of a type that stands in an annotation as it was imported."""
    name = external_names.full_name(node["reftarget"])
    if node.get("refdomain") != "py" or name is None:
        return None
    here = env.get_domain("py").objects.get(name)
    if here is not None:
        where = here.docname, here.node_id
        return make_refnode(app.builder, node["refdoc"], *where, content, name)
    node["reftarget"] = name
    return missing_reference(app, env, node, content)


def _plain_defaults(*event: Any) -> tuple[str | None, str | None]:
    """Have the name of a default that is a class, and ``...`` for what has only a repr."""
    *_, signature, returns = event
    if signature:
        signature = re.sub(r"=<class '(?:\w+\.)*(\w+)'>", r"=\1", signature)
        signature = re.sub(r"=<(?:[^<>]|<\w+>)*>", "=...", signature)
    return signature, returns


def setup(app: Any) -> None:
    """Called by Sphinx."""
    external_names.name_interfaces()
    app.add_directive("config-section", config_reference.ConfigSection)
    app.add_directive("diagram", diagrams.Diagram)
    app.add_directive("error-reference", error_reference.ErrorReference)
    app.connect("missing-reference", _by_short_name)
    app.connect("autodoc-process-signature", _plain_defaults)
