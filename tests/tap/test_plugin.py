"""twistd finds the plugin, and by it the package ``tap``."""

from __future__ import annotations

import gc
from unittest import mock

from twisted import internet
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txtokensock.tap import Options, makeService


class PluginTests(SynchronousTestCase):
    """twistd finds us."""

    def test_plugin(self) -> None:
        """There is one plugin, and it makes our service."""
        from twisted.application.service import IServiceMaker

        makers = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "tokensock"]
        self.assertEqual([maker.module for maker in makers], ["txtokensock.tap"])
        verifyObject(IPlugin, makers[0])
        self.assertIs(makers[0].options, Options)

    def test_garbage(self) -> None:
        """What a process has when it runs is not searched for garbage again and again."""
        reactor = MemoryReactorClock()
        options = Options()
        options.parseOptions(["serve"])
        with mock.patch.object(internet, "reactor", reactor, create=True):
            makeService(options)
        self.assertIn((gc.freeze, (), {}), reactor.whenRunningHooks)
