"""
What clients and the server say to each other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, eventAsText

from tests.kit.turns import one_turn
from tests.kit.websocket import TEXT, encode_frame
from txtokensock.errors import (
    ActionError,
    CallTimeout,
    ConnectionLost,
    InvalidChannel,
    InvalidData,
    InvalidOption,
    RemoteError,
    UnexpectedData,
)
from txtokensock.server import demo

from .support import SUCCESS, Client, ServerTestCase

WIRE = Path(__file__).parent.parent / "wire"


class AuthenticationTests(ServerTestCase):
    """``auth``, and what may not come before it."""

    def test_token_opens_the_session(self) -> None:
        """A fresh token is answered with success, without repeating it."""
        server = self.serve()
        client = server.client()
        answer = client.ask({"rpc": "auth", "token": server.token(), "uuid": "u"})
        self.assertEqual(answer, {"rpc": "auth", "uuid": "u", **SUCCESS})
        self.assertEqual([peer.auth for peer in server.service.peers()], [{"user": "ada"}])

    def test_token_serves_once(self) -> None:
        """Of ten sockets that send one token, one is let in and nine are closed."""
        server = self.serve()
        token = server.token()
        clients = [server.client() for _ in range(10)]
        for client in clients:
            client.send({"rpc": "auth", "token": token, "uuid": "u"})
        answers = [client.received()[0] for client in clients]
        self.assertEqual([a.get("resp") for a in answers].count("success"), 1)
        self.assertEqual([a.get("error") for a in answers].count("Token not found"), 9)
        self.assertEqual([c.closed for c in clients].count((4403, "Authentication refused")), 9)

    def test_token_expires(self) -> None:
        """After its lifetime a token is worth nothing."""
        server = self.serve(limits={"token_lifetime": 30})
        token = server.token()
        server.turn(30)
        client = server.client()
        answer = client.ask({"rpc": "auth", "token": token, "uuid": "u"})
        self.assertEqual(answer["error"], "Token not found")

    def test_token_must_be_one_as_a_whole(self) -> None:
        """Text that holds a valid token is none."""
        server = self.serve()
        for wrap in ("{} ", "sess:{}", "{}\n", ""):
            client = server.client()
            client.send({"rpc": "auth", "token": wrap.format(server.token()), "uuid": "u"})
            self.assertEqual(client.received()[0]["error"], "Token not found")

    def test_anything_before_auth_is_forbidden(self) -> None:
        """Every message but ``auth`` closes a session that is not authenticated."""
        server = self.serve(actions=demo.ACTIONS)
        for message in (
            {"rpc": "echo", "req": 1, "uuid": "u"},
            {"rpc": "_subscribe", "req": {"channel": "c"}, "uuid": "u"},
            {"rpc": "_rpc", "fid": "f", "resp": {}},
            {"rpc": "auth", "token": 123, "uuid": "u"},
            {"rpc": "auth", "uuid": "u"},
            None,
            [],
            5,
        ):
            client = server.client()
            self.assertEqual(client.ask(message)["error"], "Forbidden")
            self.assertEqual(client.closed, (4401, "Not authenticated"))
        self.assertEqual(server.service.channels(), [])

    def test_text_that_is_no_json_is_survived(self) -> None:
        """It is an error without a uuid, before and after ``auth``."""
        server = self.serve()
        client = server.client()
        self.assertEqual(client.ask("{"), {"error": "Invalid message"})
        client.ask({"rpc": "auth", "token": server.token(), "uuid": "u"})
        self.assertEqual(client.ask("nope"), {"error": "Invalid message"})
        self.assertIsNone(client.closed)

    def test_silence_is_closed(self) -> None:
        """Who does not authenticate in time is closed; who did is not."""
        server = self.serve(limits={"auth_timeout": 10})
        quiet, busy = server.client(), server.authenticated()
        server.turn(10)
        self.assertEqual((quiet.texts(), quiet.closed), ([], (4408, "Not authenticated in time")))
        self.assertEqual((busy.texts(), busy.closed), ([], None))

    def test_authenticated_in_the_last_turn(self) -> None:
        """Of many who are late, one that authenticates before its turn to be closed stays."""
        server = self.serve(limits={"auth_timeout": 10})
        clients = [server.client() for _ in range(100)]
        last, token = clients[-1], server.token()
        server.clock.rightNow += 10
        while not clients[0].tcp.value():
            one_turn(server.clock)
        last.send({"rpc": "auth", "token": token, "uuid": "u"})
        self.assertEqual([peer.authenticated for peer in server.service.peers()], [True])

    def test_fresh_token_replaces_the_identity(self) -> None:
        """A second ``auth`` refreshes who the peer is."""
        server = self.serve(authentication=demo.authenticate, actions=demo.ACTIONS)
        client = server.authenticated("user=ada")
        client.ask({"rpc": "auth", "token": server.token("user=bob"), "uuid": "u"})
        self.assertEqual(client.rpc("whoami"), {"resp": {"user": "bob"}})

    def test_second_token_has_a_deadline(self) -> None:
        """A second ``auth`` that nobody decides about in time ends the session."""
        server = self.serve(limits={"auth_timeout": 10, "hook_timeout": 60})
        client = server.authenticated()
        server.turn(20)
        server.service.on("authentication", lambda *_: Deferred())
        client.send({"rpc": "auth", "token": server.token(), "uuid": "u"})
        server.turn(9)
        self.assertEqual((client.texts(), client.closed), ([], None))
        server.turn(1)
        self.assertEqual(
            (client.texts(), client.closed), ([], (4408, "Not authenticated in time"))
        )

    def test_bad_second_token_closes(self) -> None:
        """A second ``auth`` that fails ends the session."""
        server = self.serve()
        client = server.authenticated()
        client.send({"rpc": "auth", "token": "x", "uuid": "u"})
        self.assertEqual(client.received()[0]["error"], "Token not found")
        self.assertEqual(client.closed, (4403, "Authentication refused"))
        self.assertEqual(server.service.peers(), [])

    def test_requests_wait_for_the_answer(self) -> None:
        """While ``auth`` is pending, every other message is forbidden, ``auth`` too."""
        for message in (
            {"rpc": "echo", "req": 1, "uuid": "u"},
            {"rpc": "auth", "token": "x", "uuid": "v"},
        ):
            server = self.serve(actions=demo.ACTIONS)
            server.service.on("authentication", lambda peer, auth: Deferred())
            client = server.client()
            client.send({"rpc": "auth", "token": server.token(), "uuid": "u"}, message)
            self.assertEqual([a["error"] for a in client.received()], ["Forbidden"])
            self.assertEqual(client.closed, (4401, "Not authenticated"))

    def test_second_token_at_once_is_refused(self) -> None:
        """An authenticated peer keeps its session if it sends two tokens at a time."""
        server = self.serve(authentication=demo.authenticate)
        client = server.authenticated("user=ada")
        pending: Deferred[None] = Deferred()
        server.service.on("authentication", lambda peer, auth: pending)
        first, second = server.token("user=bob"), server.token("user=eve")
        client.send({"rpc": "auth", "token": first, "uuid": "1"})
        client.send({"rpc": "auth", "token": second, "uuid": "2"})
        self.assertEqual(client.received(), [{"rpc": "auth", "uuid": "2", "error": "Forbidden"}])
        (peer,) = server.service.peers()
        self.assertEqual(peer.auth, {"user": "ada"})
        pending.callback(None)
        self.assertEqual(client.received(), [{"rpc": "auth", "uuid": "1", **SUCCESS}])
        self.assertEqual(peer.auth, {"user": "bob"})

    def test_client_is_called_during_auth(self) -> None:
        """
        An ``authentication`` hook may call the client and subscribe it, and decide by the
        client's answer.
        """
        server = self.serve()

        async def hook(peer: Any, auth: Any) -> bool:
            await server.service.subscribe(peer, "welcome")
            return await server.service.rpc(peer, "agree", auth) == "yes"

        server.service.on("authentication", hook)
        client = server.client()
        client.send({"rpc": "auth", "token": server.token(), "uuid": "u"})
        notice, call = client.received()
        self.assertEqual(notice["data"], {"channel": "welcome"})
        self.assertEqual(
            (call["data"]["command"], call["data"]["args"]), ("agree", {"user": "ada"})
        )
        client.send({"rpc": "_rpc", "fid": call["data"]["fid"], "resp": {"data": "yes"}})
        self.assertEqual(client.received(), [{"rpc": "auth", "uuid": "u", **SUCCESS}])


class CallTests(ServerTestCase):
    """RPC to the server."""

    def test_results(self) -> None:
        """Plain, Deferred and coroutine actions answer alike, whatever JSON it is."""

        async def later(data: Any, peer: Any) -> Any:
            return [data, peer.auth]

        pending: Deferred[Any] = Deferred()
        server = self.serve(
            actions={**demo.ACTIONS, "later": later, "user": {"read": lambda d, p: pending}}
        )
        client = server.authenticated()
        for data in (None, 0, "", "é \0", [1, {"a": None}], True, 2**60, 1.5):
            self.assertEqual(client.rpc("echo", data), {"resp": data})
        self.assertEqual(client.rpc("later", 1), {"resp": [1, {"user": "ada"}]})
        client.send({"rpc": "user.read", "uuid": "u"})
        self.assertEqual(client.received(), [])
        pending.callback({"id": 7})
        self.assertEqual(client.received(), [{"rpc": "user.read", "uuid": "u", "resp": {"id": 7}}])

    def test_unknown_functions(self) -> None:
        """Only what is in the mappings can be called, by its whole name."""
        server = self.serve(actions={**demo.ACTIONS, "a": {"b": demo.echo}})
        client = server.authenticated()
        for name in ("no", "a", "a.b.c", "echo.x", "toString", "__class__", "a.items", "", "."):
            self.assertEqual(client.rpc(name), {"error": "Function not found"})

    def test_failures(self) -> None:
        """
        An ActionError goes out as it is, of any other exception the text, logged, where the
        texts are exposed.
        """

        def fail(data: Any, peer: Any) -> None:
            raise ActionError(data)

        def bug(data: Any, peer: Any) -> None:
            raise KeyError(data)

        server = self.serve(
            expose_errors=True,
            actions={"fail": fail, "bug": bug, "nan": lambda d, p: float("nan")},
        )
        client = server.authenticated()
        self.assertEqual(client.rpc("fail", {"code": 42}), {"error": {"code": 42}})
        self.assertEqual(client.rpc("bug", "x"), {"error": "'x'"})
        self.assertIn("cannot be sent as JSON", client.rpc("nan")["error"])
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_hidden_failures(self) -> None:
        """By default the texts of unexpected exceptions stay in the log, beside a reference."""

        def bug(data: Any, peer: Any) -> None:
            raise KeyError("sku")

        client = self.serve(
            actions={"bug": bug, "nan": lambda d, p: float("nan")},
            authentication=lambda request: {"user": "grace"},
        ).authenticated()
        for name in ("bug", "nan"):
            with capturedLogs() as events:
                error = client.rpc(name)["error"]
            self.assertRegex(error, r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
            (text,) = [eventAsText(event) for event in events if "log_failure" in event]
            for logged in (error[-9:-1], "Traceback", f"action {name} ", "<Peer ", "['user']"):
                self.assertIn(logged, text)
            self.assertNotIn("grace", text)
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_ping(self) -> None:
        """``_ping`` is answered where it is offered."""
        client = self.serve().authenticated()
        self.assertEqual(client.rpc("_ping", {}), {"resp": {"message": "pong"}})
        client = self.serve(ping=False).authenticated()
        self.assertEqual(client.rpc("_ping", {}), {"error": "Function not found"})

    def test_answers_of_one_turn_share_a_frame(self) -> None:
        """A burst of calls costs one frame each way."""
        client = self.serve(actions=demo.ACTIONS).authenticated()
        client.send(*({"rpc": "echo", "req": n, "uuid": str(n)} for n in range(100)))
        client.server.turn()
        (frame,) = client.websocket.texts()
        self.assertEqual([json.loads(t)["resp"] for t in json.loads(frame[1:])], list(range(100)))

    def test_answers_to_one_read_leave_with_it(self) -> None:
        """However many frames it had: in one frame, in order, and without another turn."""
        client = self.serve(actions=demo.ACTIONS).authenticated()
        calls = [json.dumps({"rpc": "echo", "req": n, "uuid": str(n)}) for n in range(50)]
        frames = b"".join(encode_frame(json.dumps([call]), TEXT) for call in calls)
        client.connection.tcp.protocol.dataReceived(frames)
        (frame,) = client.websocket.texts()
        self.assertEqual([json.loads(t)["resp"] for t in json.loads(frame[1:])], list(range(50)))
        clock = client.server.clock
        self.assertEqual([c for c in clock.calls if c.getTime() <= clock.seconds()], [])

    def test_invalid_requests_are_survived(self) -> None:
        """What makes no sense is an error for its sender alone, and the session stays."""
        client = self.serve().authenticated()
        for message in (
            None,
            [1],
            5,
            {},
            {"rpc": 5, "uuid": "u"},
            {"rpc": "_subscribe", "uuid": "u"},
            {"rpc": "_subscribe", "req": {}, "uuid": "u"},
            {"rpc": "_subscribe", "req": {"channel": ["c"]}, "uuid": "u"},
            {"rpc": "_publish", "req": 5, "uuid": "u"},
            {"rpc": "auth", "uuid": "u"},
            {"rpc": "_rpc", "fid": 5},
        ):
            self.assertEqual(client.ask(message)["error"], "Invalid request", message)
        self.assertIsNone(client.closed)


class ServerCallTests(ServerTestCase):
    """RPC to the client."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve()
        self.client = self.server.authenticated()
        (self.peer,) = self.server.service.peers()

    def call(self, **options: Any) -> tuple[Deferred[Any], str]:
        answer = self.server.service.rpc(self.peer, "a.b", {"x": 1}, **options)
        (call,) = self.client.received()
        fid = call["data"].pop("fid")
        data = {"command": "a.b", "args": {"x": 1}}
        self.assertEqual(call, {"internal": True, "command": "rpc", "data": data})
        return answer, fid

    def test_results(self) -> None:
        """The client's result fires the Deferred; its error fails it."""
        answer, fid = self.call()
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": [1]}})
        self.assertEqual(self.successResultOf(answer), [1])
        answer, fid = self.call()
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"error": {"code": 1}}})
        self.assertEqual(self.failureResultOf(answer, RemoteError).value.error, {"code": 1})
        answer, fid = self.call()
        self.client.send({"rpc": "_rpc", "fid": fid})
        self.assertIsNone(self.successResultOf(answer))

    def test_answers_are_the_peers_own(self) -> None:
        """Another peer that knows the id cannot answer."""
        answer, fid = self.call()
        other = self.server.authenticated()
        other.send({"rpc": "_rpc", "fid": fid, "resp": {"data": "forged"}})
        self.assertEqual(other.received(), [])
        self.assertNoResult(answer)
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": "mine"}})
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": "again"}})
        self.assertEqual(self.successResultOf(answer), "mine")

    def test_timeouts(self) -> None:
        """Each call has its own time, whatever others have, and what became of them."""
        first, _ = self.call(timeout=3)
        self.server.turn(1)
        answered, fid = self.call(timeout=3)
        second, _ = self.call(timeout=3)
        short, _ = self.call(timeout=1)
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": 1}})
        self.assertEqual(self.successResultOf(answered), 1)
        self.server.turn(1)
        self.failureResultOf(short, CallTimeout)
        self.assertNoResult(first)
        self.server.turn(1)
        self.failureResultOf(first, CallTimeout)
        self.server.turn(0.5)
        self.assertNoResult(second)
        third, _ = self.call(timeout=3)
        self.server.turn(0.5)
        self.failureResultOf(second, CallTimeout)
        self.server.turn(2)
        self.assertNoResult(third)
        self.server.turn(0.5)
        self.failureResultOf(third, CallTimeout)

    def test_timeout(self) -> None:
        """A call that nobody answers fails in time, and its late answer is nothing."""
        answer, fid = self.call(timeout=3)
        self.server.turn(3)
        self.failureResultOf(answer, CallTimeout)
        self.client.send({"rpc": "_rpc", "fid": fid, "resp": {}})
        self.assertEqual(self.client.received(), [])

    def test_unreadable(self) -> None:
        """An answer that cannot be read fails its call at once, and says what was wrong."""
        for resp in ('{"data":NaN}', '{"data":1e999}', '{"data":[1,}', "5", '{"data":"\\x"}'):
            answer, fid = self.call()
            self.client.send(f'{{"rpc":"_rpc","fid":"{fid}","resp":{resp}}}')
            error = self.failureResultOf(answer, RemoteError).value
            self.assertIn("the answer cannot be read: ", str(error))
            self.assertEqual(self.client.received(), [])
            # One that is nobody's answer is what it was, and costs what it did.
            self.client.send(f'{{"rpc":"_rpc","fid":"{fid}","resp":{resp}}}')
            (refusal,) = self.client.received()
            self.assertIn(refusal["error"], ("Invalid message", "Invalid request"))

    def test_peer_goes(self) -> None:
        """Calls fail at once when the peer goes, and so do later ones."""
        answer, _ = self.call()
        self.client.drop()
        self.assertTrue(self.failureResultOf(answer, ConnectionLost).value.may_have_run)
        late = self.peer.rpc("a")
        self.assertFalse(self.failureResultOf(late, ConnectionLost).value.may_have_run)

    def test_cancel(self) -> None:
        """A cancelled call is forgotten."""
        answer, _ = self.call()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)

    def test_type(self) -> None:
        """The answer is of the type that was asked for, or fails the call."""
        for data, expected in (({"1": 2}, {1: 2}), (5, None)):
            answer = self.peer.rpc("a", type=dict[int, int])
            (call,) = self.client.received()
            fid = call["data"]["fid"]
            self.client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": data}})
            if expected is None:
                self.failureResultOf(answer, UnexpectedData)
            else:
                self.assertEqual(self.successResultOf(answer), expected)
        self.failureResultOf(self.peer.rpc("a", type="User"), InvalidOption)  # type: ignore[call-overload]
        self.assertEqual(self.client.received(), [])

    def test_what_cannot_be_sent(self) -> None:
        """Bad names, data and times fail the call and send nothing."""
        self.failureResultOf(self.peer.rpc("", 1), InvalidData)
        self.failureResultOf(self.peer.rpc("a", object()), InvalidData)
        for timeout in (-1, float("nan"), float("inf"), "5"):
            calling = self.peer.rpc("a", timeout=timeout)  # type: ignore[arg-type]
            self.failureResultOf(calling, InvalidOption)
        self.assertEqual(self.client.received(), [])


class ChannelTests(ServerTestCase):
    """Publish and subscribe, with acknowledgements."""

    def ask(self, client: Client, rpc: str, **req: Any) -> list[Any]:
        client.send({"rpc": rpc, "req": req, "uuid": "u"})
        return client.received()

    def test_acknowledgements(self) -> None:
        """The answer first, then the notice; once each (PROTOCOL section 5)."""
        client = self.serve().authenticated()
        for verb in ("subscribe", "unsubscribe"):
            self.assertEqual(
                self.ask(client, f"_{verb}", channel="c"),
                [
                    {"rpc": f"_{verb}", "uuid": "u", "resp": "success"},
                    {"internal": True, "command": verb, "data": {"channel": "c"}},
                ],
            )
        for rpc, req in (("_publish", {"channel": "c", "data": 1}), ("_broadcast", {"data": 1})):
            ack = {"rpc": rpc, "uuid": "u", "resp": "success"}
            self.assertEqual(self.ask(client, rpc, **req), [ack])

    def test_no_uuid_no_acknowledgement(self) -> None:
        """Who did not ask for an answer gets the notices alone."""
        client = self.serve().authenticated()
        client.send(
            {"rpc": "_subscribe", "req": {"channel": "c"}},
            {"rpc": "_publish", "req": {"channel": "c", "data": 1}},
            {"rpc": "_unsubscribe", "req": {"channel": "c"}},
            {"rpc": "_broadcast", "req": {"data": 1}},
        )
        self.assertEqual(
            client.received(),
            [
                {"internal": True, "command": "subscribe", "data": {"channel": "c"}},
                {"channel": "c", "message": 1},
                {"internal": True, "command": "unsubscribe", "data": {"channel": "c"}},
            ],
        )

    def test_delivery(self) -> None:
        """A message reaches the channel's subscribers, its publisher too, and no others."""
        server = self.serve()
        ada, bob, eve = (server.authenticated() for _ in range(3))
        ada.subscribe("c")
        bob.subscribe("c", "d")
        eve.subscribe("d")
        for data in ("plain", '{"q":1}', "123", "", None, 0, False, {"n": [None]}):
            ada.send({"rpc": "_publish", "req": {"channel": "c", "data": data}})
            for client in (ada, bob):
                self.assertEqual(client.received(), [{"channel": "c", "message": data}])
            self.assertEqual(eve.received(), [])

    def test_broadcast(self) -> None:
        """A broadcast comes once for each channel of a peer, and to no peer without."""
        server = self.serve()
        none, one, two = (server.authenticated() for _ in range(3))
        one.subscribe("c")
        two.subscribe("c", "d")
        none.send({"rpc": "_broadcast", "req": {"data": 1}})
        self.assertEqual(none.received(), [])
        self.assertEqual([m["channel"] for m in one.received()], ["c"])
        self.assertEqual([m["channel"] for m in two.received()], ["c", "d"])

    def test_reserved_channels(self) -> None:
        """What servers use among themselves is refused in every direction."""
        client = self.serve().authenticated()
        for channel in ("___all___", "___sync___", "__all__"):
            for rpc in ("_subscribe", "_unsubscribe", "_publish"):
                answer = {"rpc": rpc, "uuid": "u", "error": "Forbidden"}
                self.assertEqual(self.ask(client, rpc, channel=channel), [answer])

    def test_odd_names(self) -> None:
        """Names that mean something to JavaScript or Python are names."""
        client = self.serve().authenticated()
        for channel in ("constructor", "__proto__", "toString", "__class__", "a b", "é😀", "\0"):
            client.subscribe(channel)
            self.ask(client, "_publish", channel="x", data=1)
            client.send({"rpc": "_publish", "req": {"channel": channel, "data": 1}})
            self.assertEqual(client.received(), [{"channel": channel, "message": 1}])

    def test_peers_that_go_are_forgotten(self) -> None:
        """A channel without peers is gone from every table."""
        server = self.serve()
        ada, bob = server.authenticated(), server.authenticated()
        ada.subscribe("c")
        bob.subscribe("c", "d")
        self.assertEqual(server.service.channels(), ["c", "d"])
        self.assertEqual(len(server.service.channel_peers("c")), 2)
        bob.drop()
        self.assertEqual(server.service.channels(), ["c"])
        self.assertEqual(server.service.channel_peers("d"), [])
        self.assertEqual(server.service.channel_peers("c"), server.service.peers())

    def test_server_decides(self) -> None:
        """The server subscribes, publishes, broadcasts and unsubscribes by itself."""
        server = self.serve()
        client = server.authenticated()
        service, (peer,) = server.service, server.service.peers()
        self.successResultOf(service.subscribe(peer, "c"))
        self.assertEqual(peer.channels, ["c"])
        self.successResultOf(service.publish("c", 1))
        self.successResultOf(service.broadcast(2))
        service.unsubscribe(peer, "c")
        service.unsubscribe(peer, "c")
        self.successResultOf(service.subscribe(peer, "d"))
        self.successResultOf(service.unsubscribe_all("d"))
        self.assertEqual(
            [(m.get("command"), m.get("message")) for m in client.received()],
            [
                ("subscribe", None),
                (None, 1),
                (None, 2),
                ("unsubscribe", None),
                ("subscribe", None),
                ("unsubscribe", None),
            ],
        )
        self.assertEqual(service.channels(), [])
        self.failureResultOf(service.publish("___all___", 1), InvalidChannel)
        self.failureResultOf(service.publish("c", object()), InvalidData)


class RecordedTests(ServerTestCase):
    """With ``acks=False`` the messages are those of node-token-sockjs 3.1.0."""

    def test_conversation(self) -> None:
        """
        The recorded conversation of the real client and server: our server says the same,
        save the token's echo, the order of keys, and ``resp`` where an action returned
        JavaScript's ``undefined``.
        """
        server = self.serve(
            authentication=_recorded_identity, actions=_RECORDED_ACTIONS, acks=False
        )
        for event in ("subscribe", "publish"):
            server.service.on(event, lambda peer, channel, *_: channel != "forbidden")
        client = server.client()
        fids: dict[str, str] = {}
        received: list[Any] = []
        for line in (WIRE / "node-server-3.1.0.jsonl").read_text().strip().split("\n"):
            record = json.loads(line)
            message = json.loads(record["payload"])
            if record["from"] == "client":
                if message["rpc"] == "auth":
                    message["token"] = server.token()
                if "fid" in message:
                    message["fid"] = fids[message["fid"]]
                client.send(message)
                continue
            received += client.received()
            answer = received.pop(0)
            message.pop("token", None)
            if message.get("command") == "rpc":
                fids[message["data"]["fid"]] = answer["data"].pop("fid")
                del message["data"]["fid"]
            if answer.get("resp", 0) is None:
                answer.pop("resp")
                message.pop("resp", None)
            self.assertEqual(answer, message)
        self.assertEqual(received + client.received(), [])


def _recorded_identity(request: Any) -> Any:
    query = {"user": "ada", "nested": {"a": ["1", "2"]}}
    return {"user": "ada", "q": query}


def _fail(error: Any) -> Any:
    def action(data: Any, peer: Any) -> None:
        raise ActionError(error)

    return action


async def _call_me(data: Any, peer: Any) -> Any:
    try:
        return await peer.rpc(data["command"], data["args"])
    except RemoteError as error:
        raise ActionError(error.error) from None


_RECORDED_ACTIONS = {
    **demo.ACTIONS,
    "something": {"nested": lambda data, peer: {"nested": data}},
    "fail": _fail({"message": "nope"}),
    "failobj": _fail({"message": "bad", "code": 42}),
    "callme": _call_me,
}
