"""
Runs a command: the reactor, a client, and the exit status.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import (
    FileLogObserver,
    LogEvent,
    formatEventAsClassicLogText,
    globalLogBeginner,
)
from twisted.python.failure import Failure

from ..client.socket import TokenSocket
from ..errors import AttemptTimeout, InvalidOption, TokenSocketError
from .client_options import Settings, in_our_words
from .interrupts import uninterrupted
from .output import be_quiet, discard, harmless, place_in_docs, say, write_utf8

__all__ = ["Conversation", "log_observer", "run", "run_reactor"]

Conversation: TypeAlias = Callable[[TokenSocket, Any], Coroutine[Any, Any, None]]
"""What a command does with a client that is about to connect, and the reactor."""


def run(
    settings: Settings,
    conversation: Conversation,
    *,
    reconnect: bool = False,
    bounded: bool = True,
) -> int:
    """
    Run a command that talks to a server, on the global reactor.

    :param settings: how it talks to it.
    :param conversation: the command.
    :param reconnect: whether to connect again after a loss.
    :param bounded: whether the timeout is for all of it, and not for each step.
    :return: the exit status.
    """
    if settings.quiet:
        be_quiet()
    if settings.verbose:
        globalLogBeginner.beginLoggingTo([log_observer()], redirectStandardIO=False)
    return run_reactor(lambda reactor: _talk(settings, conversation, reconnect, bounded, reactor))


def log_observer() -> FileLogObserver:
    """Writes the log to stderr, where a terminal obeys nothing that a peer has put into it."""

    def line(event: LogEvent) -> str | None:
        text = formatEventAsClassicLogText(event)
        return text and harmless(text, keep="\n\t")

    return FileLogObserver(sys.stderr, line)


def run_reactor(main: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """
    Run a coroutine function on the global reactor, until it ends or is cancelled: by Ctrl-C,
    or by a signal that ends the process.

    :param main: takes the reactor, and returns the exit status.
    :return: the exit status.
    :raises KeyboardInterrupt: for Ctrl-C, when all has ended.
    """
    with uninterrupted():
        from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    status = 1
    interrupted = False
    ended: Deferred[None] = Deferred()

    def start() -> None:
        running = Deferred.fromCoroutine(main(reactor))
        # The reactor waits until the connection is closed.
        reactor.addSystemEventTrigger("before", "shutdown", running.cancel)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: ended)
        running.addErrback(_failed)
        running.addCallback(finish)

    def finish(result: int) -> None:
        nonlocal status
        status = result
        ended.callback(None)
        stop()

    def stop() -> None:
        with suppress(ReactorNotRunning):  # it is stopping already
            reactor.stop()

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        reactor.callFromThread(stop)

    write_utf8()
    reactor.callWhenRunning(start)
    # All objects that exist now stay to the end.  To search them for garbage, which Python
    # also does when it exits, takes longer than a call.
    gc.freeze()
    # Twisted leaves a handler of SIGINT that is there.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    reactor.run()
    if interrupted:
        raise KeyboardInterrupt
    return status


def _failed(failure: Failure) -> int:
    """Say why a command failed, and return its exit status."""
    problem = failure.value
    if isinstance(problem, InvalidOption):  # some mistakes are found only with a reactor
        say(in_our_words(str(problem)))
        return 2
    if isinstance(problem, OSError):
        say(f"cannot write to stdout: {problem.strerror}")
        discard(sys.stdout)
    elif not isinstance(problem, CancelledError):  # by a signal
        failure.printTraceback(sys.stderr)
    return 1


class _TooLate(Exception):
    """The deadline of the whole command has passed."""


async def _talk(
    settings: Settings,
    conversation: Conversation,
    reconnect: bool,
    bounded: bool,
    reactor: Any,
) -> int:
    """Run one command on a connection, and return the exit status."""
    socket = TokenSocket(
        settings.hosts,
        authentication=settings.credentials,
        reconnect=reconnect,
        call_timeout=settings.timeout,
        reactor=reactor,
        **settings.options,
    )
    socket.startService()
    try:
        running = Deferred.fromCoroutine(conversation(socket, reactor))
        if bounded:
            running.addTimeout(settings.timeout, reactor, lambda *_: Failure(_TooLate()))
        await running
    except CancelledError:  # by a signal, which is how listening ends
        return 0 if reconnect else 1
    except BrokenPipeError:  # the reader of the pipe has ended
        discard(sys.stdout)
    except (_TooLate, AttemptTimeout) as problem:
        hosts = " or ".join(settings.hosts)
        reason = f": {in_our_words(str(problem))}" if str(problem) else ""
        place = place_in_docs(problem)
        say(f"no answer from {hosts} within {settings.timeout:g} seconds{reason}{place}")
        return 1
    except TokenSocketError as problem:
        say(in_our_words(str(problem)) + place_in_docs(problem))
        return 1
    finally:
        socket.remove_all_listeners()  # its disconnect is not reported
        await socket.end()
    return 0
