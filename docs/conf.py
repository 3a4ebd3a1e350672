"""How Sphinx builds these pages: ``make docs``."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as installed_version
from inspect import cleandoc
from typing import Any

from docutils.nodes import Element, Node
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from zope.interface.interface import Method

project = "txtokensock"
author = "the txtokensock authors"
project_copyright = author
release = version = installed_version("txtokensock")

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "token-sockjs for Twisted", "page_width": "1000px"}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}

highlight_language = "python"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True}


class AutoInterface(SphinxDirective):
    """``.. autointerface:: package.IName``: autodoc cannot read interfaces of zope."""

    required_arguments = 1

    def run(self) -> list[Node]:
        path = self.arguments[0]
        module, _, name = path.rpartition(".")
        interface = getattr(import_module(module), name)
        lines = [f".. py:class:: {path}", "", *_indented(interface)]
        for member in (interface[key] for key in interface.names()):
            if isinstance(member, Method):
                kind, signature = "method", member.getSignatureString()
            else:
                kind, signature = "attribute", ""
            lines += [f"   .. py:{kind}:: {member.getName()}{signature}", ""]
            lines += ["   " + line for line in _indented(member)]
        body = Element()
        self.state.nested_parse(StringList(lines, source=path), 0, body)
        return body.children


def _indented(documented: Any) -> list[str]:
    return ["   " + line for line in cleandoc(documented.getDoc()).splitlines()] + [""]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_directive("autointerface", AutoInterface)
