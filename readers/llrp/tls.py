"""TLS for readers: what is verified, and what a failure means. No sockets here; the files are read."""

import hashlib
import ssl
from collections.abc import Callable
from typing import Final

from readers.driver import ReaderError
from readers.llrp import transport_faults as faults
from readers.llrp.settings import TlsSettings
from readers.model import Fault

HANDSHAKE_S: Final = 10.0
"""A reader's small processor takes up to a second for its RSA; who takes longer never comes to an end."""

SHUTDOWN_S: Final = 1.0
"""A peer that does not answer close_notify must not keep a driver from ending in time."""


class PinError(ssl.SSLError):
    """The peer's certificate is another one than the pinned; `seen` is its SHA-256 in hex."""

    def __init__(self, seen: str) -> None:
        super().__init__(f"certificate {seen} is not the pinned one")
        self.seen = seen


def fingerprint(certificate: bytes | None) -> str:
    """The hex SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` counts it."""
    return hashlib.sha256(certificate or b"").hexdigest()


class _PinningContext(ssl.SSLContext):
    """A client context in which the pin alone decides."""

    pin: str


class _PinnedObject(ssl.SSLObject):
    """Compares the certificate as part of the handshake: no byte passes to or from another peer."""

    def do_handshake(self) -> None:
        super().do_handshake()
        seen = fingerprint(self.getpeercert(binary_form=True))
        assert isinstance(self.context, _PinningContext)
        if seen != self.context.pin:
            raise PinError(seen)


def dialling_context(tls: TlsSettings) -> ssl.SSLContext:
    """For a reader that we dial. ReaderError where our files cannot be used."""
    context: ssl.SSLContext
    try:
        if tls.pin_sha256 is None:
            context = ssl.create_default_context(cafile=tls.ca_file)
        else:
            context = pinning = _PinningContext(ssl.PROTOCOL_TLS_CLIENT)
            pinning.pin = tls.pin_sha256
            pinning.sslobject_class = _PinnedObject
            pinning.check_hostname = False
            pinning.verify_mode = ssl.CERT_NONE
        _load_own(context, tls)
    except OSError as error:
        raise ReaderError(faults.unusable_files(error)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def looking_context(tls: TlsSettings) -> ssl.SSLContext:
    """To see a certificate that was not accepted; nothing is said over such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _load_own(context, tls)
    return context


class _ListeningContext(ssl.SSLContext):
    """A server context that tells of handshakes that fail: asyncio drops them without a word."""

    on_failure: Callable[[str], None]


class _ListeningObject(ssl.SSLObject):
    """Tells its context why its handshake failed."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            assert isinstance(self.context, _ListeningContext)
            self.context.on_failure(error.reason or str(error))
            raise


def listening_context(tls: TlsSettings, on_failure: Callable[[str], None]) -> ssl.SSLContext:
    """For readers that dial in; `on_failure` hears why a handshake failed.

    ReaderError where our files cannot be used.
    """
    context = _ListeningContext(ssl.PROTOCOL_TLS_SERVER)
    context.on_failure = on_failure
    context.sslobject_class = _ListeningObject
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load_own(context, tls)
        if tls.ca_file is not None:
            context.load_verify_locations(tls.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise ReaderError(faults.unusable_files(error)) from error
    return context


def _no_passphrase() -> str:
    """A daemon has nobody to ask: a key that needs one cannot be used."""
    return ""


def _load_own(context: ssl.SSLContext, tls: TlsSettings) -> None:
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file, _no_passphrase)


def fault_of(error: OSError, address: str, tls: TlsSettings, seen: str | None) -> Fault:
    """What the failure of a TLS connection to `address` means; `seen` is the certificate's fingerprint if known."""
    if isinstance(error, PinError):
        return faults.pin_differs(address, tls.pin_sha256 or "", error.seen)
    if isinstance(error, ssl.SSLCertVerificationError):
        return faults.not_trusted(address, error, seen)
    if isinstance(error, ssl.SSLError):
        return faults.not_tls(address) if error.reason in faults.NOT_TLS_REASONS else faults.tls_failed(address, error)
    return faults.tls_broken_off(address)
