"""
The page about security has every limit, with its default: what is added or changed elsewhere
has to be written there.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.processes import ROOT
from txtokensock.bridge.config.http import HttpConfig, KeyConfig
from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.config.webhooks import ChannelRule
from txtokensock.server import Limits
from txtokensock.sockjs.server.options import SockJSOptions
from txtokensock.web.server.site_limits import SiteLimits

PAGE = ROOT / "docs" / "security.rst"

REQUIRED = object()

_ROW = re.compile(r"   \* - (``\S+``)\n     - (.+)\n     - .+")
_UNITS = {"": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": 1}


def tables(page: str) -> dict[str, dict[str, Any]]:
    """The tables' first columns and defaults, by the first column's heading."""
    found: dict[str, dict[str, Any]] = {}
    table: dict[str, Any] = {}
    for name, text in _ROW.findall(page):
        if text == "default":
            table = found.setdefault(name.strip("`"), {})
        else:
            table[name.strip("`")] = default(text)
    return found


def default(text: str) -> Any:
    """What the page's text for a default says."""
    if text in ("none", "required"):
        return None if text == "none" else REQUIRED
    number, _, unit = text.partition(" ")
    return int(number.replace(",", "")) * _UNITS[unit]


def numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that are limits: numbers, or None for no limit."""
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (is_number or value is None or value is REQUIRED) and not name.endswith("_file"):
            yield name, value


def of_dataclass(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass, with their defaults."""
    return {
        field.name: REQUIRED if field.default is dataclasses.MISSING else field.default
        for field in dataclasses.fields(kind)
    }


def of_section(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The options of a section of the bridge's file that have a default, with it."""
    return {
        field.name: field.default
        for field in msgspec.structs.fields(kind)
        if field.default is not msgspec.NODEFAULT
    }


class LimitsTests(SynchronousTestCase):
    """``docs/security.rst``."""

    def setUp(self) -> None:
        self.tables = tables(PAGE.read_text())

    def test_server(self) -> None:
        """Every limit of the server, of SockJS and of a site, and nothing else."""
        for kind in (Limits, SockJSOptions, SiteLimits):
            with_default = dict(numbers(of_dataclass(kind)))
            with_default.pop("sockjs_client_file", None)
            self.assertEqual(self.tables[kind.__name__], with_default)

    def test_bridge(self) -> None:
        """Every limit of the bridge's callers and of its HTTP."""
        of_http = dict(numbers(of_section(HttpConfig)))
        del of_http["certificate"], of_http["certificate_key"]  # None there, and no limits
        self.assertEqual(self.tables["[http]"], of_http)
        of_key = dict(numbers(of_section(KeyConfig)))
        del of_key["previous_secret"]
        self.assertEqual(self.tables["[[http.keys]]"], of_key)

    def test_others(self) -> None:
        """What the page says of WAMP and webhooks is so."""
        for name, kind in (("[wamp]", WampConfig), ("[[webhooks.channels]]", ChannelRule)):
            options = of_section(kind)
            for option, value in self.tables[name].items():
                self.assertEqual(options[option], value, option)
