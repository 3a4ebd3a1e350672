"""
All that is forwarded between the upstream socket and a realm.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ...client.socket import TokenSocket
from ..capacity import Capacity
from ..config.wamp import WampRules
from ..counters import Counters
from ..shares import Shares
from .call_forwarding import ActionForwarding, CallForwarding
from .channel_forwarding import ChannelForwarding
from .lease import Lease
from .realm import Realm
from .rule_counters import RuleCounters

__all__ = ["WampForwarding"]


class WampForwarding:
    """
    :param rules: what goes where.
    :param socket: the upstream; others start and stop it.
    :param shares: of it.
    :param counters: of the bridge.
    :param reactor: for the time.
    """

    def __init__(
        self,
        rules: WampRules,
        *,
        socket: TokenSocket,
        shares: Shares,
        counters: Counters,
        reactor: IReactorTime,
    ) -> None:
        rule_counters = RuleCounters(counters)
        self._rules = rules
        self._reactor = reactor
        self._calls = CallForwarding(
            rules, socket=socket, shares=shares, rule_counters=rule_counters, reactor=reactor
        )
        self._actions = ActionForwarding(rules, socket=socket, rule_counters=rule_counters)
        self._channels = ChannelForwarding(
            rules, socket=socket, shares=shares, rule_counters=rule_counters, reactor=reactor
        )
        self._lease: Lease | None = None
        self._realm: Realm | None = None
        self._standing_by = ""

    @property
    def in_flight(self) -> int:
        """How many calls and messages are on their way."""
        return sum(capacity.taken for capacity in self._capacities)

    @property
    def _capacities(self) -> list[Capacity]:
        return [self._calls.room, self._actions.in_flight, *self._channels.in_flight]

    @property
    def detail(self) -> str:
        """What is to be said of it while all is well, for people."""
        return self._standing_by and f"stands by: {self._standing_by}"

    def start(self) -> None:
        """Before the first session."""
        self._actions.install()

    # -- the session

    def joined(self, realm: Realm) -> None:
        """There is a session."""
        self._realm = realm
        self._actions.realm = realm
        self._calls.joined(realm)
        self._ask_for_turn()

    def left(self) -> None:
        """The session is gone: what comes from channels waits for the next one."""
        self._realm = None
        self._actions.realm = None
        self._calls.left()
        if self._lease is not None:
            self._lease.lost()
            self._lease = None
        self._channels.pause()

    def _ask_for_turn(self) -> None:
        realm = self._realm
        assert realm is not None
        self._standing_by = ""
        if self._rules.lease is None:
            self._channels.begin(realm)
            return
        self._standing_by = "asks for the lease"
        self._lease = Lease(
            realm,
            self._rules.lease,
            retry=self._rules.lease_retry,
            reactor=self._reactor,
            granted=lambda: self._granted(realm),
            refused=self._refused,
        )
        self._lease.start()

    def _granted(self, realm: Realm) -> None:
        self._standing_by = ""
        self._channels.begin(realm)

    def _refused(self, why: str) -> None:
        self._standing_by = why
        self._channels.end(why)

    # -- rules

    def reload(self, rules: WampRules) -> None:
        """Take other rules; what they do not concern goes on."""
        other_lease = rules.lease != self._rules.lease
        self._rules = rules
        self._actions.reload(rules)
        self._calls.reload(rules)
        self._channels.reload(rules)
        if other_lease and self._realm is not None:
            if self._lease is not None:
                self._lease.release()
                self._lease = None
            self._channels.end("the lease is another")
            self._ask_for_turn()

    # -- the end

    def stop(self, seconds: float) -> Deferred[None]:
        """
        Take nothing new, and finish what is on its way.

        :param seconds: for that.
        :return: fires when it is done, or when the time is over.  Never fails.
        """
        return Deferred.fromCoroutine(self._stop(seconds))

    async def _stop(self, seconds: float) -> None:
        self._calls.listen_no_more()
        self._actions.remove()
        self._channels.listen_no_more()
        deadline = self._reactor.seconds() + seconds
        await self._drained(self._channels.in_flight, deadline)
        self._channels.end("the bridge stops")
        if self._lease is not None:
            # Others need not wait for calls.
            lease, self._lease = self._lease, None
            await lease.release()
        await self._drained(self._capacities, deadline)

    async def _drained(self, capacities: list[Capacity], deadline: float) -> None:
        """Wait until all of them are idle, or until the deadline."""
        for capacity in capacities:
            left = deadline - self._reactor.seconds()
            if left > 0:
                try:
                    await capacity.idle().addTimeout(left, self._reactor)
                except TimeoutError:
                    return
