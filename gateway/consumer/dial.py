# SPDX-License-Identifier: Apache-2.0
"""From a broker's address to a connected socket: name, TCP, TLS, off the event loop."""

import asyncio
import socket
import ssl
import threading

from gateway.consumer.broker import BrokerUnreachableError, ConnectOptions

Outcome = socket.socket | Exception


async def dial(options: ConnectOptions) -> socket.socket:
    """A connected socket, made in a thread: looking up a name cannot be interrupted, so nobody waits for it.

    Cancelled, it leaves a thread that ends by its own timeout and closes what it has got.
    """
    loop = asyncio.get_running_loop()
    dialled: asyncio.Future[socket.socket] = loop.create_future()

    def work() -> None:
        outcome: Outcome
        try:
            outcome = _connect(options)
        except (OSError, ValueError) as error:
            outcome = error
        try:
            loop.call_soon_threadsafe(_settle, dialled, outcome)
        except RuntimeError:  # The loop is closed: nobody is left to take it.
            _discard(outcome)

    threading.Thread(target=work, name="mqtt-dial", daemon=True).start()
    try:
        return await dialled
    except asyncio.CancelledError:
        # It may have come about in the very turn in which we were told to stop.
        if dialled.done() and not dialled.cancelled():
            _discard(dialled.exception() or dialled.result())
        raise


def _settle(dialled: "asyncio.Future[socket.socket]", outcome: Outcome) -> None:
    if dialled.done():
        _discard(outcome)
    elif isinstance(outcome, socket.socket):
        dialled.set_result(outcome)
    else:
        dialled.set_exception(outcome)


def _discard(outcome: Outcome | BaseException) -> None:
    if isinstance(outcome, socket.socket):
        outcome.close()


def _connect(options: ConnectOptions) -> socket.socket:
    """Name, TCP and TLS, each step within the timeout; raises OSError or ValueError. Blocks."""
    address = options.address
    plain = socket.create_connection((address.host, address.port), timeout=options.connect_timeout_s)
    try:
        # Small packets of a pipeline must not wait for the acknowledgement of the one before.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls:
            context = options.tls or ssl.create_default_context()
            plain = context.wrap_socket(plain, server_hostname=address.host)
        plain.setblocking(False)
    except (OSError, ValueError):
        plain.close()
        raise
    return plain


def unreachable(options: ConnectOptions, error: Exception) -> BrokerUnreachableError:
    """What failed on the way to the broker, with what to look at."""
    place = f"{options.address.host}:{options.address.port}"
    if isinstance(error, TimeoutError):
        return BrokerUnreachableError(
            f"{place}: no answer within {options.connect_timeout_s:g} s",
            "check the network, the address and the broker",
        )
    return BrokerUnreachableError(f"{place}: {error}", _hint(error))


def _hint(error: Exception) -> str:
    for kind, hint in _HINTS:
        if isinstance(error, kind):
            return hint
    return "check the network, the address and the broker"


# The first that fits counts, so the narrower kinds stand first.
_HINTS: tuple[tuple[type[Exception], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "the certificate is not trusted for this name: check ca_file and the name in the url",
    ),
    (ssl.SSLError, "the two do not agree on TLS: check mqtt:// or mqtts://, and the port"),
    (socket.gaierror, "the name is not known: check the url and the name service"),
    (ConnectionRefusedError, "nothing listens there: is the broker running, is the port right"),
    (ConnectionResetError, "it hung up before it greeted: is it an MQTT broker, with or without TLS as the url says"),
)
