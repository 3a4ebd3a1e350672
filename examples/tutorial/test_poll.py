"""The poll, without a network and without waiting."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from poll import poll_server
from txtokensock import RemoteError, TokenSocket
from txtokensock.testing import MemoryServer


class PollTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = MemoryServer(lambda clock: poll_server(reactor=clock))
        self.addCleanup(self.memory.finish)

    def client(self, user: str) -> TokenSocket:
        client = self.memory.client(authentication={"user": user})
        client.startService()
        return client

    def test_one_vote_each(self) -> None:
        """Who votes again has changed the vote."""
        ada, grace = self.client("ada"), self.client("grace")
        for client, choice in ((ada, "tea"), (grace, "tea"), (ada, "coffee")):
            self.memory.result(client.rpc("vote", choice))
        assert self.memory.result(ada.rpc("result")) == {"tea": 1, "coffee": 1}

    def test_nonsense(self) -> None:
        """A vote for anything else is refused, and the text says what there is."""
        voted = self.client("ada").rpc("vote", "milk")
        error = self.memory.failure(voted, RemoteError)
        assert error.error == "vote for one of tea, coffee"

    def test_everybody_sees(self) -> None:
        """Each vote is told to those who listen."""
        ada, grace = self.client("ada"), self.client("grace")
        seen: list[Any] = []
        self.memory.result(grace.subscribe("result", seen.append))
        self.memory.result(ada.rpc("vote", "tea"))
        assert seen == [{"tea": 1, "coffee": 0}]
