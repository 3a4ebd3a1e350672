"""A program: a TokenSocket and the bridge's webhooks, by a file like the bridge's own."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import msgspec
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from txtokensock import Backoff, TokenSocket
from txtokensock.bridge.config.webhooks import WebhooksConfig
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.webhooks import SpoolUnavailable, WebhooksSide

globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
document = tomllib.loads(Path(sys.argv[1]).read_text())
section = msgspec.convert(document["webhooks"], WebhooksConfig)
socket = TokenSocket(document["upstream"]["host"], backoff=Backoff(cap=0.25), reactor=reactor)
try:
    side = WebhooksSide(section, socket=socket, counters=Counters(), reactor=reactor)
except SpoolUnavailable as problem:
    sys.exit(str(problem))
side.startService()
socket.startService()
reactor.addSystemEventTrigger("before", "shutdown", side.stopService)
reactor.callWhenRunning(print, "bridge started", flush=True)
reactor.run()
