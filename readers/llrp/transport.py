"""How a connection to a reader comes about where we dial; lobby.py is for readers that dial in."""

import asyncio
import ssl

from readers.driver import ReaderError
from readers.llrp import faults, tls, transport_faults
from readers.llrp.settings import LlrpSettings, TlsSettings


async def dial(settings: LlrpSettings, protocol: asyncio.BaseProtocol) -> None:
    """Connect `protocol` to the reader, over TLS if so set; it then is verified before `protocol` hears of it.

    Raises ReaderError with a fault of kind timeout, refused or unreachable; over TLS also not_tls, tls_failed,
    tls_files, not_trusted, wrong_name, certificate_expired or pin_differs.
    """
    address = settings.address
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            if settings.tls is None:
                await _connect(settings, protocol, None)
            else:
                await _dial_tls(settings, settings.tls, protocol)
    except TimeoutError:
        late = faults.no_connection if settings.tls is None else transport_faults.no_tls_in_time
        raise ReaderError(late(address, settings.connect_timeout_s)) from None
    except ConnectionRefusedError:
        raise ReaderError(faults.refused(address)) from None
    except OSError as error:
        raise ReaderError(faults.unreachable(address, error)) from error


async def _dial_tls(settings: LlrpSettings, how: TlsSettings, protocol: asyncio.BaseProtocol) -> None:
    # In a thread: reading the system's authorities takes some 20 ms, and fifty readers may come back at once.
    context = await asyncio.to_thread(tls.dialling_context, how)
    try:
        await _connect(settings, protocol, context)
    except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError) as error:
        seen = await _look(settings, how) if isinstance(error, ssl.SSLCertVerificationError) else None
        raise ReaderError(tls.fault_of(error, settings.address, how, seen)) from error


async def _connect(settings: LlrpSettings, protocol: asyncio.BaseProtocol, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    if context is None:
        await loop.create_connection(lambda: protocol, settings.host, settings.port)
    else:
        await loop.create_connection(
            lambda: protocol,
            settings.host,
            settings.port,
            ssl=context,
            server_hostname=settings.host,
            ssl_handshake_timeout=settings.connect_timeout_s,
            ssl_shutdown_timeout=tls.SHUTDOWN_S,
        )


async def _look(settings: LlrpSettings, how: TlsSettings) -> str | None:
    """The fingerprint of a certificate that was refused: OpenSSL does not hand it out, so it is asked for again."""
    onlooker = _Onlooker()
    try:
        await _connect(settings, onlooker, tls.looking_context(how))
    except OSError:
        return None
    return onlooker.seen


class _Onlooker(asyncio.Protocol):
    """Sees the peer's certificate and leaves."""

    seen: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.seen = tls.fingerprint(transport.get_extra_info("ssl_object").getpeercert(binary_form=True))
        transport.abort()
