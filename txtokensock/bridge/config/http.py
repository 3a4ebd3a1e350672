"""
``[http]``: HTTP clients, their keys, and their limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...config.listen import Listen
from ...config.numbers import counts, seconds
from ...config.section import Problem, Secret, SecretUnavailable, Section
from ...config.tls import key_file
from ...errors import InvalidOption
from ...support.patterns import pattern_problem
from ...web.server.trusted_proxies import TrustedProxies
from ...web.tls.server_certificate import ServerCertificate

__all__ = ["HttpConfig", "KeyConfig", "problems"]

MIB = 1024 * 1024


class KeyConfig(Section, frozen=True):
    """
    ``[[http.keys]]``: the key of a client, and what it allows.

    :ivar name: of the key, in logs and metrics; of a signed request, its ``key``.
    :ivar secret: the secret of the key.
    :ivar previous_secret: is accepted as well, while clients change from one to the other.
    :ivar scheme: ``bearer``: requests hold the secret.  ``signed``: they are signed with
        it, as Crossbar's publisher and caller have it.
    :ivar channels: what they may publish to and listen to, see
        :mod:`txtokensock.support.patterns`.
    :ivar procedures: what they may call, likewise.
    :ivar broadcast: whether they may broadcast.
    :ivar metrics: whether they may read ``/metrics``, and why a side is down.
    :ivar concurrency: requests of theirs that may wait for the server at once.
    :ivar streams: event streams of theirs at once.
    """

    name: str
    secret: Secret
    previous_secret: Secret | None = None
    scheme: Literal["bearer", "signed"] = "bearer"
    channels: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    broadcast: bool = False
    metrics: bool = False
    concurrency: int = 32
    streams: int = 32

    def secrets(self) -> list[str]:
        """
        The secrets that are accepted now.

        :raises InvalidOption: if a request cannot carry one; the text does not hold it.
        """
        wanted = [self.secret, self.previous_secret]
        return [secret.for_header() for secret in wanted if secret is not None]


class HttpConfig(Section, frozen=True):
    """
    ``[http]``.

    :ivar listen: an endpoint string of Twisted's; a change needs a restart.
    :ivar certificate: a file, PEM, with the certificate that clients are shown, and those of
        intermediate authorities; without it, ``listen`` says whether there is TLS.  The files are
        read again at each reload.
    :ivar certificate_key: a file, PEM, with its private key, or a secret that holds it; by default
        the same file.
    :ivar authentication: ``keys``: a client needs one.  ``none``: everybody may do everything,
        which requires a loopback address and no keys.
    :ivar keys: the keys of clients.
    :ivar hosts: without keys: values of ``Host`` that are accepted besides the loopback names;
        any other could be that of a web page.
    :ivar trusted_proxies: networks of the proxies that may say who the client is.
    :ivar body_limit: bytes of a request.
    :ivar call_timeout: seconds that a call may take; who calls may ask for less.
    :ivar connections: how many at once.  With the last one taken, a newcomer gets the place of
        the oldest that has sent no complete head within a second.
    :ivar connections_per_address: of them, for one IP address that is not that of a trusted
        proxy; 0 for a quarter.
    :ivar head_timeout: seconds for the head of a request, and for the TLS handshake with it.
    :ivar body_timeout: seconds for a body, and then as long as it comes at
        ``body_rate``.
    :ivar body_rate: bytes per second.
    :ivar concurrency: without keys: requests that may wait for the server at once.
    :ivar streams: without keys: event streams at once.
    :ivar queue_limit: publishes that may wait for the server.
    :ivar queue_bytes: bytes of them.
    :ivar signature_tolerance: seconds between the time of a signed request and ours.
    :ivar signed_requests: a file that remembers the signed requests that came, so that none
        is taken again after a restart; where a key is ``signed``.  A change needs a restart.
    :ivar idempotency_expiry: seconds for which the answer to an ``Idempotency-Key`` is
        kept.
    :ivar idempotency_limit: answers that are kept; the oldest makes room.
    :ivar idempotency_bytes: bytes of them.
    :ivar heartbeat: seconds between comments in an event stream.
    :ivar stream_buffer: bytes that may wait for a slow reader.
    :ivar stream_timeout: seconds for which a reader may take nothing.
    """

    listen: str = "tcp:8090:interface=127.0.0.1"
    certificate: str | None = None
    certificate_key: str | Secret | None = None
    authentication: Literal["keys", "none"] = "keys"
    keys: tuple[KeyConfig, ...] = ()
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    body_limit: int = MIB
    call_timeout: float = 60.0
    connections: int = 1000
    connections_per_address: int = 0
    head_timeout: float = 10.0
    body_timeout: float = 20.0
    body_rate: int = 500
    concurrency: int = 128
    streams: int = 128
    queue_limit: int = 1000
    queue_bytes: int = 16 * MIB
    signature_tolerance: float = 300.0
    signed_requests: str = "tokensock-signed-requests"
    idempotency_expiry: float = 3600.0
    idempotency_limit: int = 10_000
    idempotency_bytes: int = 16 * MIB
    heartbeat: float = 15.0
    stream_buffer: int = MIB
    stream_timeout: float = 60.0

    def read_certificate(self) -> ServerCertificate | None:
        """
        What the files hold now; None without TLS of our own.

        :raises InvalidOption: if one cannot be used.
        """
        if self.certificate is None:
            return None
        return ServerCertificate(self.certificate, key_file(self.certificate_key))


def problems(section: HttpConfig, path: str) -> Iterator[Problem]:
    """What is wrong with ``[http]``."""
    yield from _who_may_come_in(section, path)
    yield from _certificate(section, path)
    try:
        TrustedProxies(section.trusted_proxies)
    except InvalidOption as problem:
        yield Problem(f"{path}.trusted_proxies", str(problem).removeprefix("trusted_proxies "))
    yield from seconds(section, path, "signature_tolerance", "idempotency_expiry", "heartbeat")
    yield from seconds(section, path, "call_timeout", "stream_timeout")
    yield from seconds(section, path, "head_timeout", "body_timeout")
    if section.connections_per_address < 0:
        yield Problem(f"{path}.connections_per_address", "must be 0, or a whole number above 0")
    yield from counts(section, path, "body_limit", "body_rate", "connections")
    yield from counts(section, path, "concurrency", "streams")
    yield from counts(section, path, "queue_limit", "queue_bytes", "stream_buffer")
    yield from counts(section, path, "idempotency_limit", "idempotency_bytes")
    if not section.signed_requests or "\0" in section.signed_requests:
        yield Problem(f"{path}.signed_requests", "must be the name of a file")
    names: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for number, key in enumerate(section.keys):
        here = f"{path}.keys[{number}]"
        yield from _key(key, here)
        if (other := names.setdefault(key.name, here)) != here:
            yield Problem(f"{here}.name", f"is {key.name!r}, which is also that of {other}")
        yield from _key_secrets(key, here, secrets)


def _who_may_come_in(section: HttpConfig, path: str) -> Iterator[Problem]:
    """Refuse a section without keys, unless it says ``none``: open is never the default."""
    try:
        loopback = Listen.parse(section.listen).loopback
    except InvalidOption as problem:
        yield Problem(f"{path}.listen", str(problem))
        return
    if section.authentication == "keys":
        if not section.keys:
            what = 'are missing; on a loopback address, authentication = "none" does without'
            yield Problem(f"{path}.keys", what)
    elif section.keys:
        what = f'is "none", but there are [[{path}.keys]], which would not be checked'
        yield Problem(f"{path}.authentication", what)
    elif not loopback:
        what = f"{section.listen!r} is not a loopback address: it needs [[{path}.keys]]"
        yield Problem(f"{path}.listen", what)


def _certificate(section: HttpConfig, path: str) -> Iterator[Problem]:
    if section.certificate is None:
        if section.certificate_key is not None:
            yield Problem(f"{path}.certificate_key", "needs a certificate")
        return
    if section.listen.startswith("ssl:"):
        yield Problem(f"{path}.listen", "names a certificate, and so does certificate: write tcp:")
    try:
        section.read_certificate()
    except InvalidOption as problem:
        yield Problem(f"{path}.certificate", str(problem).removeprefix("certificate "))


def _key(key: KeyConfig, path: str) -> Iterator[Problem]:
    if not key.name or not key.name.isprintable() or len(key.name) > 100:
        yield Problem(f"{path}.name", "must be one line of 1 to 100 characters")
    yield from _patterns(key.channels, f"{path}.channels")
    yield from _patterns(key.procedures, f"{path}.procedures")
    yield from counts(key, path, "concurrency", "streams")


def _patterns(patterns: tuple[str, ...], path: str) -> Iterator[Problem]:
    """Each pattern that means nothing."""
    for number, pattern in enumerate(patterns):
        problem = pattern_problem(pattern) if pattern else "is empty"
        if problem is not None:
            yield Problem(f"{path}[{number}]", problem)


def _key_secrets(key: KeyConfig, path: str, seen: dict[str, str]) -> Iterator[Problem]:
    for field in ("secret", "previous_secret"):
        secret: Secret | None = getattr(key, field)
        if secret is None:
            continue
        here = f"{path}.{field}"
        try:
            text = secret.for_header()
        except (SecretUnavailable, InvalidOption) as problem:
            yield Problem(here, str(problem))
            continue
        if (other := seen.setdefault(text, here)) != here:
            yield Problem(here, f"is the same as {other}: a secret must name one key")
