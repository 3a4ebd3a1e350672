"""
``extra`` of a component that a Crossbar container hosts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...config.section import Problem
from ...errors import InvalidOption
from .upstream import UpstreamConfig
from .upstream import problems as upstream_problems
from .wamp import WampRules, rule_problems

__all__ = ["ComponentOptions", "component_options"]


class ComponentOptions(WampRules, frozen=True, kw_only=True):
    """
    :ivar upstream: as ``[upstream]``.
    """

    upstream: UpstreamConfig


def component_options(extra: Any) -> ComponentOptions:
    """
    Check the ``extra`` of a component.

    :raises InvalidOption: with a line for each thing that is wrong.
    """
    # Crossbar adds where its node is.
    mine = {key: value for key, value in dict(extra or {}).items() if key != "cbdir"}
    try:
        options = msgspec.convert(mine, ComponentOptions)
    except msgspec.ValidationError as problem:
        raise InvalidOption(f"extra: {problem}") from None
    found: list[Problem] = [
        *upstream_problems(options.upstream, "extra.upstream"),
        *rule_problems(options, "extra"),
    ]
    if found:
        raise InvalidOption("\n".join(map(str, found)))
    return options
