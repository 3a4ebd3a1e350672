"""
Faults of token-sockjs: messages that are none, or nobody's.
"""

from __future__ import annotations

import json
from typing import Any

from .scene import Fault, Scene

__all__ = ["MESSAGES"]


def _messages(*messages: Any) -> Fault:
    texts = [text if isinstance(text, str) else json.dumps(text) for text in messages]
    return lambda scene: scene.messages(*texts)


def _changed(**fields: Any) -> Fault:
    """The honest message, save for these fields."""

    def say(scene: Scene) -> None:
        scene.messages(*(json.dumps({**json.loads(text), **fields}) for text in scene.texts))

    return say


def _also(*messages: Any) -> Fault:
    """Others first, and then the honest ones."""
    return lambda scene: scene.messages(*map(json.dumps, messages), *scene.texts)


def _without(field: str) -> Fault:
    def say(scene: Scene) -> None:
        texts = []
        for text in scene.texts:
            message = json.loads(text)
            message.pop(field, None)
            texts.append(json.dumps(message))
        scene.messages(*texts)

    return say


def _flood(message: Any) -> Fault:
    """Messages without end, and the honest ones never."""
    text = json.dumps(message)

    def flood(scene: Scene) -> None:
        assert scene.carrier is not None
        piece = scene.carrier.texts([text] * 20)
        if scene.carrier.single:
            scene.messages(*[text] * 100)
        else:
            scene.out.flood(piece)

    return flood


def _internal(data: Any, command: Any = "rpc") -> dict[str, Any]:
    return {"internal": True, "command": command, "data": data}


MESSAGES: dict[str, Fault] = {
    "sends no JSON": _messages("{", "", "}{", '{"rpc":'),
    "sends JSON of anything": _messages([], 5, None, True, "text", [[]], {}, [{}], 1e308, ""),
    "sends wrong types": _messages(
        {"rpc": 5, "uuid": {}, "resp": 1},
        {"uuid": ["x"], "resp": "success"},
        {"rpc": "auth", "uuid": None, "resp": "success"},
        {"channel": {}, "message": 1},
        _internal(5),
        _internal({"channel": 7}, "subscribe"),
        _internal({"fid": {}, "command": [], "args": 0}),
        {"internal": "yes", "command": 0},
    ),
    "sends NaN": _messages('{"rpc":"x","uuid":NaN}', '{"uuid":Infinity}', '{"uuid":1e999}'),
    "sends deep JSON": _messages('{"uuid":"x","resp":' + "[" * 20_000 + "]" * 20_000 + "}"),
    "answers to nobody": _messages({"rpc": "echo", "uuid": "nobody", "resp": 1}),
    "reports an error": _messages({"error": "out of order"}),
    "answers with another uuid": _changed(uuid="another"),
    "forgets the uuid": _without("uuid"),
    "answers nothing": _without("resp"),
    "refuses": _changed(error="Forbidden"),
    "does not know it": _changed(error="Function not found"),
    "answers an error of anything": _changed(error=[{"code": [1, {}]}, None]),
    "answers an empty error": _changed(error=""),
    "subscribes us unasked": _also(_internal({"channel": "unasked"}, "subscribe")),
    "unsubscribes us": _also(_internal({"channel": "c"}, "unsubscribe")),
    "sends to other channels": _also({"channel": "other", "message": 1}),
    "calls what is not there": _also(_internal({"fid": "x", "command": "nothing"})),
    "calls what is not callable": _also(_internal({"fid": "x", "command": "__class__"})),
    "calls without a name": _also(_internal({"fid": "x"}), _internal({"command": "ask"})),
    "gives commands": _also(_internal({}, "format"), _internal(None, "subscribe")),
    "floods with answers": _flood({"rpc": "echo", "uuid": "nobody", "resp": "x" * 100}),
    "floods with messages": _flood({"channel": "c", "message": "flood"}),
    "floods with calls": _flood(_internal({"fid": "flood", "command": "never", "args": 1})),
    "floods with errors": _flood({"error": "out of order"}),
    "floods with no JSON": _flood("no object"),
}
"""Where messages are due."""
