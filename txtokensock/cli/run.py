"""
Runs a command: the reactor, a client, and the exit status.
"""

from __future__ import annotations

import argparse
import gc
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from ..client.socket import TokenSocket
from ..errors import AttemptTimeout, InvalidOption, TokenSocketError
from .client_options import in_our_words
from .commands import COMMANDS
from .output import discard, place_in_docs, say, write_utf8

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """
    Run a command that talks to a server, on the global reactor.

    :param arguments: the result of :func:`.command_line.parse`.
    :return: the exit status.
    """
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    status = 1
    ended: Deferred[None] = Deferred()

    def start() -> None:
        talk = Deferred.fromCoroutine(_talk(arguments, reactor))
        # Ctrl-C stops the reactor, which waits until the connection is closed.
        reactor.addSystemEventTrigger("before", "shutdown", talk.cancel)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: ended)
        talk.addErrback(_crashed)
        talk.addCallback(finish)

    def finish(result: int) -> None:
        nonlocal status
        status = result
        ended.callback(None)
        with suppress(ReactorNotRunning):  # it is stopping already
            reactor.stop()

    write_utf8()
    if arguments.verbose:
        observers = [textFileLogObserver(sys.stderr)]
        globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
    reactor.callWhenRunning(start)
    # All objects that exist now stay to the end.  To search them for garbage, which Python
    # also does when it exits, takes longer than a call.
    gc.freeze()
    reactor.run()
    return status


def _crashed(failure: Failure) -> int:
    failure.printTraceback(sys.stderr)
    return 1


class _TooLate(Exception):
    """The deadline of the whole command has passed."""


async def _talk(arguments: argparse.Namespace, reactor: Any) -> int:
    """Run one command on a connection, and return the exit status."""
    endless = arguments.command == "listen"
    try:
        socket = _client(arguments, endless, reactor)
    except InvalidOption as problem:  # some mistakes are found only with a reactor
        say(in_our_words(str(problem)))
        return 2
    socket.startService()
    try:
        running = Deferred.fromCoroutine(COMMANDS[arguments.command](socket, arguments))
        if not endless:
            running.addTimeout(arguments.timeout, reactor, lambda *_: Failure(_TooLate()))
        await running
    except CancelledError:  # Ctrl-C, which is how listening ends
        return 0 if endless else 1
    except BrokenPipeError:  # the reader of the pipe has ended
        discard(sys.stdout)
    except (_TooLate, AttemptTimeout) as problem:
        hosts = " or ".join(arguments.hosts)
        reason = f": {in_our_words(str(problem))}" if str(problem) else ""
        place = place_in_docs(problem)
        say(f"no answer from {hosts} within {arguments.timeout:g} seconds{reason}{place}")
        return 1
    except TokenSocketError as problem:
        say(in_our_words(str(problem)) + place_in_docs(problem))
        return 1
    except OSError as problem:
        say(f"cannot write to stdout: {problem.strerror}")
        discard(sys.stdout)
        return 1
    finally:
        socket.remove_all_listeners()  # its disconnect is not reported
        await socket.end()
    return 0


def _client(arguments: argparse.Namespace, endless: bool, reactor: Any) -> TokenSocket:
    return TokenSocket(
        arguments.hosts,
        authentication=arguments.credentials,
        reconnect=endless,
        call_timeout=arguments.timeout,
        reactor=reactor,
        **arguments.options,
    )
