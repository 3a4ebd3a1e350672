"""
Channels to topics and back, between a real server and a router in memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from tests.common import Calls
from tests.kit.examples import examples
from txtokensock.bridge.wamp.demand import Demand
from txtokensock.bridge.wamp.forwarding import WampForwarding
from txtokensock.bridge.wamp.lease import Lease

from .support import TrafficTestCase, rules

BOTH = {"channel": "news", "topic": "com.example.news", "direction": "both"}
RULE = "channel:news"


class OneRule(TrafficTestCase):
    """A rule with names."""

    def test_to_wamp(self) -> None:
        """Messages of the channel are events of the topic; nothing goes back."""
        self.joined(rules(channels=[{**BOTH, "direction": "to-wamp"}]))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        self.outsider.publish("news", {"n": 1})
        self.component.publish("com.example.news", ["back"], {})
        self.settle()
        self.assertEqual((events, messages), ([{"n": 1}], [{"n": 1}]))
        self.assertEqual((self.count(RULE, "in"), self.count(RULE, "out")), (1, 1))

    def test_to_upstream(self) -> None:
        """Events of the topic are messages of the channel; nothing goes back."""
        self.joined(rules(channels=[{**BOTH, "direction": "to-upstream"}]))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        self.component.publish("com.example.news", [], {"n": 1})
        self.outsider.publish("news", "back")
        self.settle()
        self.assertEqual((events, messages), ([], [{"n": 1}, "back"]))
        self.assertEqual((self.count(RULE, "in"), self.count(RULE, "out")), (1, 1))

    def test_to_upstream_again(self) -> None:
        """What was accepted makes room for more."""
        for direction in ("to-upstream", "both"):
            self.joined(rules(channels=[{**BOTH, "direction": direction}], queue_limit=1))
            messages = self.subscribe("news")
            other = self.router.join()
            for number in range(3):
                other.publish("com.example.news", [number], {})
                self.settle()
            self.assertEqual(messages[-3:], [0, 1, 2], direction)
            self._traffics[-1].left()

    def test_missing_echoes(self) -> None:
        """What never comes back is said once, with how many there are."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.joined(rules(channels=[BOTH], echo_timeout=5))
        self.patch(self.memory.server._hub, "publish", lambda *_: succeed(None))
        for _ in range(2):
            for number in range(3):
                self.component.publish("com.example.news", [number], {})
            self.settle()
            self.memory.advance(10)
        self.component.publish("com.example.news", ["one more"], {})
        self.settle()
        self.memory.advance(10)
        said = [event["count"] for event in logged if "came back" in event["log_format"]]
        self.assertLessEqual(len(said), 2)
        self.assertEqual(said[-1:], [6])

    def test_spread(self) -> None:
        """With spread, objects are keyword arguments, also of names that are Python's own."""
        self.joined(rules(channels=[{**BOTH, "arguments": "spread"}]))
        events = self.listen("com.example.news")
        data: list[Any] = [{"self": 1, "topic": 2, "options": 3}, [1, 2], [], None, "x"]
        for item in data:
            self.outsider.publish("news", item)
        self.settle()
        self.assertEqual(events, [data[0], [1, 2], [], [], "x"])

    def test_forbidden_topic(self) -> None:
        """What the router refuses is counted."""
        self.joined(rules(channels=[{**BOTH, "topic": "com.forbidden.x"}]))
        self.outsider.publish("news", 1)
        self.settle()
        # The subscription to the topic, and the message.
        self.assertEqual(self.count(RULE, "refused"), 2)

    def test_not_json(self) -> None:
        """What has no JSON form is refused, and nothing waits for it."""
        traffic = self.joined(rules(channels=[BOTH]))
        self.component.publish("com.example.news", [float("nan")], {})
        self.component.publish("com.example.news", [1], {})
        self.settle()
        self.assertEqual((self.count(RULE, "refused"), self.count(RULE, "out")), (1, 1))
        self.assertEqual(traffic.in_flight, 0)


class Equal(TrafficTestCase):
    """No echo, however equal the messages are."""

    def test_a_thousand_from_wamp(self) -> None:
        """A thousand equal events arrive a thousand times, and none comes back."""
        self.joined(rules(channels=[BOTH]))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        other = self.router.join()
        for _ in range(1000):
            other.publish("com.example.news", ["same"], {})
        self.settle()
        self.assertEqual((len(events), len(messages)), (1000, 1000))

    def test_a_thousand_from_each_side(self) -> None:
        """The same from both sides at once: each side hears each message once."""
        self.joined(rules(channels=[BOTH]))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        other, client = self.router.join(), self.socket()
        for number in range(1000):
            other.publish("com.example.news", ["same"], {})
            client.publish("news", "same")
            if number % 10 == 0:
                self.memory.settle()
        self.settle()
        self.assertEqual((len(events), len(messages)), (2000, 2000))
        self.assertEqual(self.count(RULE, "dropped"), 0)

    def test_refused_upstream(self) -> None:
        """What the server refused is not waited for: equal messages of others pass."""
        self.memory.server.on("publish", lambda peer, channel, data: peer.auth != {"b": "1"})
        socket = self.socket(authentication={"b": "1"})
        self.memory.server.on(
            "publish", lambda peer, channel, data: peer is not self._peer_of(socket)
        )
        self.joined(rules(channels=[BOTH]), socket)
        events = self.listen("com.example.news")
        self.component.publish("com.example.news", ["same"], {})
        self.settle()
        self.assertEqual(self.count(RULE, "refused"), 1)
        self.outsider.publish("news", "same")
        self.settle()
        self.assertEqual(events, ["same"])

    def _peer_of(self, socket: Any) -> Any:
        return next(peer for peer in self.memory.server.peers() if "news" in peer.channels)


class EqualWithoutAcks(Equal):
    """The same with a server that acknowledges nothing, as the Node server."""

    acks = False

    def test_refused_upstream(self) -> None:
        """There nobody can know: the next equal message is taken for it, for a while."""
        self.memory.server.on("publish", lambda peer, channel, data: "news" not in peer.channels)
        self.joined(rules(channels=[BOTH], echo_timeout=5))
        events = self.listen("com.example.news")
        self.component.publish("com.example.news", ["same"], {})
        self.settle()
        self.memory.advance(5)
        self.outsider.publish("news", "same")
        self.settle()
        self.assertEqual(events, ["same"])


class Anything(TrafficTestCase):
    """Any order of what both sides do, and of losses."""

    @examples(60)
    @given(
        st.booleans(),
        st.lists(
            st.tuples(
                st.sampled_from(["wamp", "upstream", "settle", "turn"]),
                st.sampled_from(["a", "12", 12, {"x": [1]}]),
            ),
            max_size=30,
        ),
    )
    def test_each_once(self, acks: bool, steps: list[tuple[str, Any]]) -> None:
        """Everybody hears what was published on either side exactly once."""
        self.acks = acks
        self.setUp()
        try:
            self._each_once(steps)
        finally:
            self._end()
            self._sockets.clear()
            self._traffics.clear()

    def _each_once(self, steps: list[tuple[str, Any]]) -> None:
        self.joined(rules(channels=[BOTH], json_text="kept"))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        other, client = self.router.join(), self.socket()
        published: Counter[str] = Counter()
        for where, data in steps:
            if where == "wamp":
                other.publish("com.example.news", [data], {})
            elif where == "upstream":
                client.publish("news", data)
            elif where == "settle":
                self.settle()
            else:
                self.clock.advance(0)
            if where in ("wamp", "upstream"):
                published[repr(data)] += 1
        self.settle()
        self.assertEqual(Counter(map(repr, events)), published)
        self.assertEqual(Counter(map(repr, messages)), published)


class Losses(TrafficTestCase):
    """One side is down."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge = self.socket()
        self.section = rules(channels=[BOTH], queue_limit=3)
        self.traffic_ = self.joined(self.section, self.bridge)
        self.events, self.messages = self.listen("com.example.news"), self.subscribe("news")

    def lose_upstream(self) -> None:
        """Only the bridge's connection."""
        (peer,) = [
            peer
            for peer in self.memory.server.peers()
            if peer.id not in self.outsiders and "news" in peer.channels
        ]
        peer.close()
        self.settle()

    @property
    def outsiders(self) -> set[str]:
        heard = [p.id for p in self.memory.server.peers() if "outsider" in p.channels]
        return set(heard)

    def test_bytes(self) -> None:
        """What waits has a bound in bytes as well, in each direction, time after time."""
        section = rules(channels=[BOTH], queue_bytes=2500)
        self.traffic_.reload(section)
        self.outsider.subscribe("outsider", print)
        self.settle()
        for round in (1, 2):
            self.messages.clear()
            self.lose_upstream()
            for letter in "abc":
                self.component.publish("com.example.news", [letter * 1000], {})
            self.settle()
            self.memory.advance(1)
            self.settle()
            self.assertEqual([message[0] for message in self.messages], ["a", "b"])
            self.assertEqual(self.count(RULE, "dropped"), 2 * round - 1)
            self.events.clear()
            self.router.sessions[-1 if round > 1 else 1].lose()
            self.traffic_.left()
            for letter in "abc":
                self.outsider.publish("news", letter * 1000)
            self.settle()
            self.join(self.traffic_)
            self.assertEqual([event[0] for event in self.events], ["a", "b"])
            self.assertEqual(self.count(RULE, "dropped"), 2 * round)

    def test_upstream(self) -> None:
        """Events wait for the server, within bounds, and arrive once and in order."""
        self.outsider.subscribe("outsider", print)
        self.settle()
        self.lose_upstream()
        self.assertFalse(self.bridge.connected)
        for number in range(5):
            self.component.publish("com.example.news", [number], {})
        self.settle()
        self.assertEqual(self.messages, [])
        self.memory.advance(1)
        self.settle()
        self.assertEqual(self.messages, [0, 1, 2])
        self.assertEqual(self.count(RULE, "dropped"), 2)
        self.assertEqual(self.events, [])
        self.outsider.publish("news", 1)
        self.settle()
        self.assertEqual(self.events, [1])

    def test_forbidden_for_a_while(self) -> None:
        """A channel that the server forbids is asked for until it is allowed; events wait."""
        allowed = False
        self.memory.server.on("subscribe", lambda peer, channel: allowed or channel != "news")
        self.outsider.subscribe("outsider", print)
        self.settle()
        self.lose_upstream()
        self.component.publish("com.example.news", [0], {})
        self.memory.advance(1)
        self.settle()
        self.assertEqual(self.messages, [])
        self.assertGreaterEqual(self.count("channel:news", "refused"), 1)
        allowed = True
        self.memory.advance(60)
        self.settle()
        self.outsider.publish("news", 1)
        self.settle()
        self.assertEqual((self.messages, self.events), ([0, 1], [1]))

    def test_in_flight(self) -> None:
        """What was on its way when the connection went is not sent twice, but counted."""
        self.outsider.subscribe("outsider", print)
        self.settle()
        (peer,) = [p for p in self.memory.server.peers() if p.id not in self.outsiders]
        self.component.publish("com.example.news", ["early"], {})
        peer.close()
        self.memory.advance(1)
        self.settle()
        self.assertEqual(len(self.messages) + self.count(RULE, "dropped"), 1)
        self.assertEqual(self.traffic_.in_flight, 0)
        self.outsider.publish("news", "early")
        self.settle()
        self.assertEqual(self.events, ["early"])

    def test_router(self) -> None:
        """Messages wait for the router, within bounds, and arrive once and in order."""
        session = self.router.sessions[1]
        session.lose()
        self.traffic_.left()
        for number in range(5):
            self.outsider.publish("news", number)
        self.settle()
        self.assertEqual(self.events, [])
        self.join(self.traffic_)
        self.assertEqual(self.events, [0, 1, 2])
        self.assertEqual(self.count(RULE, "dropped"), 2)
        self.component.publish("com.example.news", ["x"], {})
        self.settle()
        self.assertEqual(self.messages[-1], "x")
        self.assertEqual(self.events, [0, 1, 2])


class Late(TrafficTestCase):
    """What comes when it is not waited for any more."""

    def test_publish(self) -> None:
        """A publish that took too long, and was done all the same, comes back as an echo."""
        self.joined(rules(channels=[BOTH]), self.socket(call_timeout=2))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        allowed: Deferred[bool] = Deferred()
        self.memory.server.on("publish", lambda *_: allowed)
        self.component.publish("com.example.news", [1], {})
        self.settle()
        self.memory.advance(3)
        self.settle()
        self.assertEqual((self.count(RULE, "dropped"), messages), (1, []))
        allowed.callback(True)
        self.settle()
        self.assertEqual((events, messages), ([], [1]))

    def test_topics_of_a_bridge_that_stops(self) -> None:
        """While what is on its way is waited for, no topic is subscribed to again."""
        traffic = self.joined(rules(channels=[BOTH]), self.socket(call_timeout=5))
        self.memory.advance(8)
        allowed: Deferred[bool] = Deferred()
        self.memory.server.on("publish", lambda *_: allowed)
        self.component.publish("com.example.news", [1], {})
        self.settle()
        stopped = traffic.stop(20)
        self.memory.advance(3)
        self.settle()
        self.component.publish("com.example.news", [2], {})
        self.settle()
        self.assertEqual(self.count(RULE, "in"), 1)
        self.memory.advance(5)
        self.successResultOf(stopped)
        allowed.callback(True)

    def test_topic_that_is_not_wanted_any_more(self) -> None:
        """Its events go nowhere while the router has not confirmed it, and cannot undo it."""
        traffic: WampForwarding = self.joined(rules())
        messages = self.subscribe("news")
        traffic.reload(rules(channels=[BOTH]))
        traffic.reload(rules())
        self.component.publish("com.example.news", [1], {})
        self.settle()
        self.assertEqual((messages, self.count(RULE, "in")), ([], 0))

    def test_channels_of_a_bridge_that_stops(self) -> None:
        """While what is on its way is waited for, no message of a channel is taken."""
        traffic = self.joined(rules(channels=[BOTH]), self.socket(call_timeout=5))
        events = self.listen("com.example.news")
        allowed: Deferred[bool] = Deferred()
        self.memory.server.on("publish", lambda *_: allowed)
        self.component.publish("com.example.news", [1], {})
        self.settle()
        stopped = traffic.stop(20)
        self.memory.server.publish("news", "late")
        self.settle()
        self.assertNoResult(stopped)
        self.assertNotIn("late", events)
        self.memory.advance(5)
        self.successResultOf(stopped)
        allowed.callback(True)

    def test_lease(self) -> None:
        """A lease that is granted to who has given it up is given back."""
        granted = Calls()
        lease = Lease(
            self.router.join(),
            "com.example.lease",
            retry=1,
            reactor=self.clock,
            granted=granted,
            refused=granted,
        )
        lease.start()
        self.successResultOf(lease.release())
        self.settle()
        self.assertEqual((self.router.registrations, granted), ([], []))

    def test_lease_taken_away(self) -> None:
        """A lease that the router takes away is asked for again; that is said once."""
        session, granted, refused = self.router.join(), Calls(), Calls()
        lease = Lease(
            session,
            "com.example.lease",
            retry=1,
            reactor=self.clock,
            granted=lambda: granted.append(1),
            refused=refused.append,
        )
        for turn in range(1, 3):
            if turn == 1:
                lease.start()
            self.settle()
            self.assertEqual(len(granted), turn)
            (registration,) = self.router.registrations
            self.router.registrations[0] = (self.component, *registration[1:])
            registration[-1]()
            for _ in range(3):
                self.memory.advance(1)
                self.settle()
            self.assertEqual(refused, ["the lease was taken away"] * turn)
            self.router.registrations.clear()
            self.memory.advance(1)
        self.settle()
        self.successResultOf(lease.release())
        self.assertEqual(self.router.registrations, [])
        registration[-1]()  # the router was about to say so
        self.assertEqual(len(refused), 2)

    def test_lease_refused_too_late(self) -> None:
        """A lease that is refused to who does not want it any more is not asked for again."""
        refused = Calls()
        lease = Lease(
            self.router.join(),
            "com.forbidden.lease",
            retry=1,
            reactor=self.clock,
            granted=refused,
            refused=refused,
        )
        lease.start()
        self.successResultOf(lease.release())
        self.settle()
        self.assertEqual(refused, [])

    def test_demand(self) -> None:
        """A topic whose last subscriber goes while it is looked up is not in demand."""
        session, changed = self.router.join(), Calls()
        self.listen("com.example.news")
        number, ask = self.router.subscription_id("com.example.news"), session.call

        def call(procedure: str, args: Any, *arguments: Any) -> Any:
            answered = ask(procedure, args, *arguments)
            if (procedure, args) == ("wamp.subscription.get", [number]):
                self.component.lose()
            return answered

        self.patch(session, "call", call)
        demand = Demand(session, changed)
        demand.start()
        self.settle()
        self.assertEqual((demand.topics, len(changed)), (set(), 1))

    def test_demand_that_is_kept_from_us(self) -> None:
        """The log says so once; not where the session was lost, or nobody asks any more."""
        log = EventLoggingObserver()
        globalLogPublisher.addObserver(log)
        self.addCleanup(globalLogPublisher.removeObserver, log)
        self.router.forbidden = ("wamp.subscription.",)
        for number, lost, stopped in ((0, True, False), (1, False, True), (2, False, False)):
            session = self.router.join()
            demand = Demand(session, Calls())
            demand.start()
            if lost:
                session.lose()
            if stopped:
                demand.stop()
            self.settle()
            said = [event["reason"] for event in log if "reason" in event]
            self.assertEqual(len(said), int(number == 2), (lost, stopped))
        self.assertIn("not authorized: wamp.subscription.on_create", said[0])


class Prefix(TrafficTestCase):
    """A rule for many."""

    MANY = {"channel": "room-*-chat", "topic": "com.example.room.*", "direction": "both"}

    def test_demand(self) -> None:
        """A channel is taken while its topic has a subscriber, found or new."""
        first = self.listen("com.example.room.1")
        self.joined(rules(channels=[self.MANY]))
        second = self.listen("com.example.room.2")
        for number in (1, 2, 3):
            self.outsider.publish(f"room-{number}-chat", number)
        self.settle()
        self.assertEqual((first, second), ([1], [2]))
        (channels,) = [p.channels for p in self.memory.server.peers() if p.channels]
        self.assertEqual(sorted(channels), ["room-1-chat", "room-2-chat"])
        self.component.lose()
        self.settle()
        self.assertEqual([p.channels for p in self.memory.server.peers() if p.channels], [])

    def test_demand_in_the_next_session(self) -> None:
        """It is followed anew in each session."""
        traffic = self.joined(rules(channels=[self.MANY]))
        for number in range(3):
            heard = self.listen(f"com.example.room.{number}")
            self.outsider.publish(f"room-{number}-chat", number)
            self.settle()
            self.assertEqual(heard, [number])
            self.router.sessions[-1].lose()
            traffic.left()
            self.join(traffic)

    def test_named(self) -> None:
        """Channels that the rule names are taken always."""
        self.joined(rules(channels=[{**self.MANY, "channels": ["room-9-chat"]}]))
        (channels,) = [p.channels for p in self.memory.server.peers() if p.channels]
        self.assertEqual(channels, ["room-9-chat"])

    def test_to_upstream(self) -> None:
        """Each topic goes to its own channel, and nothing comes back."""
        self.joined(rules(channels=[self.MANY]))
        events, messages = self.listen("com.example.room.a.b"), self.subscribe("room-a.b-chat")
        other = self.router.join()
        for _ in range(3):
            other.publish("com.example.room.a.b", ["x"], {})
        self.settle()
        self.assertEqual((events, messages), (["x"] * 3, ["x"] * 3))

    def test_not_allowed(self) -> None:
        """A router that does not say who subscribes leaves what is named."""
        self.router.forbidden = ("wamp.",)
        self.joined(rules(channels=[{**self.MANY, "channels": ["room-9-chat"]}]))
        events = self.listen("com.example.room.9")
        self.outsider.publish("room-9-chat", 1)
        self.settle()
        self.assertEqual(events, [1])


class Several(TrafficTestCase):
    """Several bridges for one upstream."""

    SECTION = rules(channels=[BOTH], lease="com.example.lease")

    def setUp(self) -> None:
        super().setUp()
        self.one = self.joined(self.SECTION)
        self.other = self.traffic(self.SECTION)
        self.join(self.other)
        self.events, self.messages = self.listen("com.example.news"), self.subscribe("news")

    def talk(self) -> None:
        """One message each way, which both sides hear once."""
        self.events.clear()
        self.messages.clear()
        self.outsider.publish("news", "same")
        self.router.join().publish("com.example.news", ["same"], {})
        self.settle()
        self.assertEqual((self.events, self.messages), (["same"] * 2, ["same"] * 2))

    def test_one_at_a_time(self) -> None:
        """One forwards, the other stands by and says so."""
        self.talk()
        self.assertEqual(self.one.detail, "")
        self.assertIn("another bridge", self.other.detail)

    def test_takeover(self) -> None:
        """When the one is gone, the other forwards within a second."""
        self.router.sessions[1].lose()
        self.one.left()
        self.memory.advance(1)
        self.settle()
        self.talk()
        self.assertEqual(self.other.detail, "")
        self.join(self.one)
        self.talk()

    def test_stop(self) -> None:
        """A bridge that stops gives the lease back."""
        stopped = self.one.stop(5)
        self.memory.advance(1)
        self.successResultOf(stopped)
        self.settle()
        self.talk()

    def test_reload_while_it_stands_by(self) -> None:
        """One that has lost the lease forwards nothing, whatever its rules are."""
        self.router.sessions[1].lose()
        self.one.left()
        self.memory.advance(1)
        self.settle()
        self.join(self.one)
        more = {"channel": "more", "topic": "com.example.more", "direction": "both"}
        self.one.reload(rules(channels=[BOTH, more], lease="com.example.lease"))
        self.memory.advance(11)
        self.settle()
        self.assertEqual(self.memory.server.channel_peers("more"), [])
        self.talk()

    def test_late_return(self) -> None:
        """What waited at the one is not sent by it after the other had its turn."""
        self.router.sessions[1].lose()
        self.one.left()
        self.outsider.publish("news", "waits")
        self.settle()
        self.memory.advance(1)
        self.settle()
        self.join(self.one)
        self.assertEqual(self.count(RULE, "dropped"), 1)
        self.talk()


class Reloaded(TrafficTestCase):
    """Other rules, without a pause for those that stay."""

    def test_rules(self) -> None:
        """Rules come and go; those that stay do not notice."""
        traffic: WampForwarding = self.joined(rules(channels=[BOTH]))
        news, sport = self.listen("com.example.news"), self.listen("com.example.sport")
        more = {"channel": "sport", "topic": "com.example.sport", "direction": "both"}
        traffic.reload(rules(channels=[BOTH, more]))
        self.outsider.publish("news", 1)
        self.settle()
        self.outsider.publish("sport", 2)
        self.settle()
        self.assertEqual((news, sport), ([1], [2]))
        traffic.reload(rules(channels=[more]))
        self.settle()
        self.outsider.publish("news", 3)
        self.outsider.publish("sport", 4)
        self.settle()
        self.assertEqual((news, sport), ([1], [2, 4]))

    def test_room(self) -> None:
        """What waited for a channel that is not forwarded any more is lost, and takes no room."""
        allowed: Deferred[bool] = Deferred()
        self.memory.server.on("subscribe", lambda peer, channel: channel != "news" or allowed)
        section = rules(channels=[BOTH], queue_limit=2)
        traffic = self.joined(section)
        for turn in range(1, 3):
            for number in range(3):
                self.component.publish("com.example.news", [number], {})
            self.settle()
            self.assertEqual(self.count(RULE, "dropped"), 3 * turn - 2)
            traffic.reload(rules(queue_limit=2))
            self.settle()
            self.assertEqual(self.count(RULE, "dropped"), 3 * turn)
            self.assertEqual(traffic.in_flight, 0)
            traffic.reload(section)
            self.settle()
        allowed.callback(True)

    def test_lease(self) -> None:
        """A lease can be given to a bridge that had none."""
        traffic: WampForwarding = self.joined(rules(channels=[BOTH]))
        traffic.reload(rules(channels=[BOTH], lease="com.example.lease"))
        self.settle()
        events = self.listen("com.example.news")
        self.outsider.publish("news", 1)
        self.settle()
        self.assertEqual(events, [1])
