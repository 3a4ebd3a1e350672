"""
Calls both ways, between a real server and a router in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txtokensock.bridge.wamp.realm import RequestTimeout, WampError

from .support import TrafficTestCase, rules

CALLS = [
    {"procedure": "com.example.echo", "rpc": "echo", "name": "echo"},
    {"procedure": "com.example.rpc.*", "rpc": "*", "timeout": 2},
]
ACTIONS = [
    {"action": "notify", "procedure": "com.example.notify", "timeout": 3},
    {"action": "user.read", "procedure": "com.example.read", "arguments": "spread"},
]


class Callers(TrafficTestCase):
    """WAMP callers to functions of the server."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge = self.socket()
        self.traffic_ = self.joined(rules(calls=CALLS, queue_limit=2), self.bridge)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """A call of the component's."""
        called = self.component.call(procedure, args, kwargs, 10)
        self.settle()
        return called

    def error(self, called: Deferred[Any]) -> WampError:
        """What it failed with."""
        problem: WampError = self.failureResultOf(called, WampError).value
        return problem

    def test_arguments(self) -> None:
        """Every shape of arguments has its data."""
        for args, kwargs, data in [
            ((), {}, None),
            ((1,), {}, 1),
            (([1],), {}, [1]),
            ((1, 2), {}, [1, 2]),
            ((), {"self": 1}, {"self": 1}),
            ((1,), {"a": 2}, {"args": [1], "kwargs": {"a": 2}}),
        ]:
            called = self.component.call("com.example.echo", args, kwargs, 10)
            self.settle()
            answer = self.successResultOf(called)
            self.assertEqual(answer, ([data], {}))
        self.assertEqual(self.count("echo", "out"), 6)

    def test_prefix(self) -> None:
        """The rest of the procedure's name is the function's."""
        answer = self.successResultOf(self.call("com.example.rpc.deep.er", 1))
        self.assertEqual(answer, ([["deeper", 1]], {}))

    def test_errors(self) -> None:
        """Each error has its URI, and the server's is at hand as it was."""
        error = self.error(self.call("com.example.rpc.fail", {"code": 1, "message": "no"}))
        self.assertEqual(error.uri, "tokensock.error.remote")
        self.assertEqual(error.args_, [{"code": 1, "message": "no"}])
        error = self.error(self.call("com.example.rpc.nothing"))
        self.assertEqual(error.uri, "tokensock.error.function_not_found")
        error = self.error(self.call("com.example.echo", float("nan")))
        self.assertEqual(error.uri, "wamp.error.invalid_argument")
        error = self.error(self.call("com.example.rpc._publish", {}))
        self.assertEqual(error.uri, "wamp.error.invalid_argument")

    def test_timeout(self) -> None:
        """A call that is not answered fails in time."""
        called = self.call("com.example.rpc.never")
        self.memory.advance(2)
        error = self.error(called)
        self.assertEqual(error.uri, "tokensock.error.timeout")
        self.assertEqual(error.kwargs, {"may_have_run": True})

    def test_lost(self) -> None:
        """A call in flight when the connection goes fails at once, and so do new ones."""
        called = self.call("com.example.rpc.never")
        for peer in self.memory.server.peers():
            peer.close()
        self.settle()
        error = self.error(called)
        self.assertEqual(error.uri, "tokensock.error.disconnected")
        self.assertEqual(error.kwargs, {"may_have_run": True})
        error = self.error(self.call("com.example.echo", 1))
        self.assertEqual(error.uri, "wamp.error.unavailable")
        self.memory.advance(1)
        self.successResultOf(self.call("com.example.echo", 1))

    def test_too_many(self) -> None:
        """Beyond the limit, callers are refused at once, and counted; later they are not."""
        called = [self.call("com.example.rpc.never") for _ in range(3)]
        self.assertEqual(self.error(called[2]).uri, "wamp.error.unavailable")
        self.assertEqual(self.count("call:com.example.rpc.*", "refused"), 1)
        self.memory.advance(2)
        self.error(called[0])
        self.error(called[1])
        self.successResultOf(self.call("com.example.echo", 1))

    def test_shared(self) -> None:
        """Another bridge may register the same, and calls go round."""
        self.joined(rules(calls=CALLS))
        self.assertEqual(len(self.router.registrations), 4)
        self.successResultOf(self.call("com.example.echo", 1))

    def test_refused_registration(self) -> None:
        """A registration that is refused is asked for again."""
        self.router.forbidden = ("com.example.later",)
        self.traffic_.reload(rules(calls=[{"procedure": "com.example.later", "rpc": "echo"}]))
        self.settle()
        self.assertEqual(self.count("call:com.example.later", "refused"), 1)
        self.router.forbidden = ()
        self.memory.advance(10)
        self.assertEqual(self.successResultOf(self.call("com.example.later", 1)), ([1], {}))

    def test_reload(self) -> None:
        """Rules that go are unregistered."""
        self.traffic_.reload(rules(calls=CALLS[:1]))
        self.settle()
        self.successResultOf(self.call("com.example.echo", 1))
        error = self.error(self.call("com.example.rpc.echo", 1))
        self.assertEqual(error.uri, "wamp.error.no_such_procedure")

    def test_reload_room(self) -> None:
        """How many may be under way, from then on."""
        for limit in (3, 1):
            self.traffic_.reload(rules(calls=CALLS, queue_limit=limit))
            calls = [self.call("com.example.rpc.never") for _ in range(limit)]
            refused = self.error(self.call("com.example.rpc.never"))
            self.assertEqual(refused.message, "too many calls at once")
            self.memory.advance(2)
            self.settle()
            for call in calls:
                self.error(call)

    def test_stop_waits(self) -> None:
        """What is under way is finished, as long as there is time, however little."""
        call = self.call("com.example.rpc.never")
        stopped = self.traffic_.stop(0.5)
        self.memory.advance(0.3)
        self.assertNoResult(stopped)
        self.never[0].callback("late")
        self.settle()
        self.assertEqual(self.successResultOf(call), (["late"], {}))
        self.successResultOf(stopped)

    def test_reload_to_and_fro(self) -> None:
        """A rule that goes and comes back before the router knows is registered once."""
        for calls in (CALLS[:1], CALLS, CALLS[:1], CALLS):
            self.traffic_.reload(rules(calls=calls))
        self.memory.advance(11)
        self.settle()
        self.assertEqual(self.count("call:com.example.rpc.*", "refused"), 0)
        self.traffic_.reload(rules(calls=CALLS[:1]))
        self.settle()
        error = self.error(self.call("com.example.rpc.echo", 1))
        self.assertEqual(error.uri, "wamp.error.no_such_procedure")

    def test_stop_drains(self) -> None:
        """A bridge that stops takes no new calls, and waits for those in flight."""
        called = self.call("com.example.rpc.never")
        stopped = self.traffic_.stop(5)
        self.settle()
        error = self.error(self.call("com.example.echo", 1))
        self.assertEqual(error.uri, "wamp.error.no_such_procedure")
        self.assertNoResult(stopped)
        self.never.pop().callback("late")
        self.memory.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.successResultOf(called), (["late"], {}))


class Actions(TrafficTestCase):
    """The server's calls to WAMP procedures."""

    def setUp(self) -> None:
        super().setUp()
        self.outsider.end()
        self.bridge = self.socket(actions={"user": {"write": lambda data: "written"}})
        self.traffic_ = self.joined(rules(actions=ACTIONS), self.bridge)
        (self.peer,) = self.memory.server.peers()

    def ask(self, name: str, data: Any = None) -> Deferred[Any]:
        """A call of the server's."""
        called = self.peer.rpc(name, data)
        self.settle()
        return called

    def register(self, procedure: str, on_call: Any) -> None:
        self.component.register(procedure, "exact", on_call)
        self.settle()

    def error(self, called: Deferred[Any]) -> Any:
        return self.failureResultOf(called).value.error

    def test_answer(self) -> None:
        """A procedure's result is the answer; its shape is that of arguments."""
        self.register("com.example.notify", lambda _, args, kw, __: succeed(([1, args], kw)))
        for number in (1, 2):
            answer = self.successResultOf(self.ask("notify", {"x": 1}))
            self.assertEqual(answer, [1, [{"x": 1}]])
            counts = [self.count("action:notify", outcome) for outcome in ("in", "out", "refused")]
            self.assertEqual(counts, [number, number, 0])

    def test_spread(self) -> None:
        """Keywords, and beside other actions of the same branch."""
        self.register("com.example.read", lambda _, args, kwargs, __: succeed(([kwargs], {})))
        self.assertEqual(self.successResultOf(self.ask("user.read", {"a": 1})), {"a": 1})
        self.assertEqual(self.successResultOf(self.ask("user.write")), "written")

    def test_errors(self) -> None:
        """The procedure's error as it is, and the router's."""
        self.register(
            "com.example.notify",
            lambda _, args, kwargs, __: fail(WampError("com.example.no", ["why"], {"error": 1})),
        )
        self.assertEqual(
            self.error(self.ask("notify")),
            {"error": "com.example.no", "message": "why", "args": ["why"], "kwargs": {"error": 1}},
        )
        error = self.error(self.ask("user.read"))
        self.assertEqual(error["error"], "wamp.error.no_such_procedure")

    def test_timeout(self) -> None:
        """A procedure that is silent."""
        self.register("com.example.notify", lambda *_: fail(RequestTimeout("no answer")))
        self.assertEqual(self.error(self.ask("notify"))["error"], "tokensock.error.timeout")

    def test_no_router(self) -> None:
        """Without a session, the answer is an error, at once."""
        self.traffic_.left()
        self.assertEqual(self.error(self.ask("notify"))["error"], "wamp.error.unavailable")

    def test_taken(self) -> None:
        """An action that somebody else registered stays; that is counted, and logged."""
        self.traffic_.reload(
            rules(actions=[{"action": "user.write.deep", "procedure": "com.x", "name": "deep"}])
        )
        self.assertEqual(self.count("deep", "refused"), 1)
        self.assertEqual(self.successResultOf(self.ask("user.write")), "written")
        self.traffic_.reload(rules())
        self.assertEqual(list(self.bridge.actions), ["user"])

    def test_reload_and_stop(self) -> None:
        """Actions come and go with their rules; those of others stay."""
        self.traffic_.reload(rules(actions=ACTIONS[:1]))
        self.assertEqual(self.error(self.ask("user.read")), "Function not found")
        self.assertEqual(self.successResultOf(self.ask("user.write")), "written")
        stopped = self.traffic_.stop(1)
        self.memory.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.error(self.ask("notify")), "Function not found")
        self.assertEqual(list(self.bridge.actions), ["user"])
