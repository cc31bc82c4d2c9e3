"""What can be wrong with the way to a reader, or a reader's way to us, in words for a person. Pure."""

import ssl
from enum import IntEnum
from typing import Final

from readers.model import Fault


class VerifyCode(IntEnum):
    """Why OpenSSL does not accept a certificate (its X509_V_ERR numbers), where a technician does different things."""

    NOT_YET_VALID = 9
    EXPIRED = 10
    HOSTNAME_MISMATCH = 62
    IP_ADDRESS_MISMATCH = 64


DATE_CODES: Final = frozenset({VerifyCode.NOT_YET_VALID, VerifyCode.EXPIRED})
NAME_CODES: Final = frozenset({VerifyCode.HOSTNAME_MISMATCH, VerifyCode.IP_ADDRESS_MISMATCH})

NOT_TLS_REASONS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says of a peer whose first bytes are no TLS record."""

PIN_ADVICE: Final = (
    "to trust exactly this certificate set pin_sha256 to its fingerprint, after comparing it with what the reader's "
    "own pages show"
)


def not_trusted(address: str, error: ssl.SSLCertVerificationError, seen: str | None) -> Fault:
    """The reader's certificate fails a check; `seen` is its fingerprint, None where it could not be had."""
    text = f"the certificate of {address} is not accepted: {error.verify_message}"
    if seen is not None:
        text += f"; its SHA-256 is {seen}"
    if error.verify_code in DATE_CODES:
        return Fault("certificate_expired", text, f"renew it, or check this machine's clock; {PIN_ADVICE}")
    if error.verify_code in NAME_CODES:
        return Fault("wrong_name", text, f"put the name that the certificate carries into the url; {PIN_ADVICE}")
    return Fault("not_trusted", text, f"name the authority that signed it in ca_file; {PIN_ADVICE}")


def pin_differs(address: str, pin: str, seen: str) -> Fault:
    """Another certificate than the pinned one."""
    text = f"{address} shows the certificate with SHA-256 {seen}, but pin_sha256 is {pin}"
    return Fault("pin_differs", text, "another device, or a renewed certificate: compare it before you pin the new one")


def not_tls(address: str) -> Fault:
    """Something answers there, and not in TLS."""
    text = f"{address} does not answer in TLS"
    return Fault(
        "not_tls", text, "is this the TLS port (5085), and TLS enabled there? Plain LLRP is llrp://, port 5084"
    )


def tls_broken_off(address: str) -> Fault:
    """The socket was closed where the handshake should be."""
    text = f"{address} closed the connection during the TLS handshake"
    return Fault("tls_failed", text, "is TLS enabled on this port, and does the reader ask for a client certificate?")


def tls_failed(address: str, error: ssl.SSLError) -> Fault:
    """The two ends do not agree."""
    text = f"no TLS connection to {address}: {error.reason or error}"
    return Fault("tls_failed", text, "the reader must speak TLS 1.2 or newer, and accept cert_file if it asks for one")


def no_tls_in_time(address: str, timeout_s: float) -> Fault:
    """Either no connection, or a handshake without end."""
    text = f"{address} did not complete a TLS connection within {timeout_s:g} s"
    return Fault("timeout", text, "is the reader on, its address right, and TLS enabled on this port?")


def unusable_files(error: OSError) -> Fault:
    """Our own certificate, key or authority."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    text = f"the TLS files of this reader cannot be used: {reason or error}"
    return Fault("tls_files", text, "ca_file, cert_file and key_file are PEM; the key must fit the certificate")


def cannot_listen(place: str, error: OSError) -> Fault:
    """The port that readers should dial in to is not to be had."""
    text = f"cannot listen on {place}: {error.strerror or error}"
    return Fault("cannot_listen", text, "is the address this machine's own, and the port free?")


def not_dialled_in(address: str, strangers: list[str]) -> Fault:
    """Nobody has come; `strangers` are who came and is not configured."""
    text = f"{address} has not dialled in yet"
    if strangers:
        return Fault("not_dialled_in", f"{text}, but {', '.join(strangers)} did", "is one of them meant? See identity")
    return Fault("not_dialled_in", text, "is the reader on, and this gateway's address set in it?")


def unknown_reader(peer: str, identities: tuple[str, ...], place: str) -> Fault:
    """A reader dialled in that no table names."""
    names = " or ".join(f'identity = "{identity}"' for identity in identities)
    text = f"an unknown reader dialled in to {place} from {peer} and was refused"
    return Fault("unknown_reader", text, f"to use it add a [[readers]] table with {names}")


def handshake_failed(place: str, reason: str) -> Fault:
    """Somebody who dialled in over TLS, or not over TLS, was not let in."""
    text = f"somebody dialled in to {place}, and the TLS handshake failed: {reason}"
    return Fault("tls_failed", text, "must the reader trust cert_file, or show a certificate that ca_file signed?")


def strange_caller(peer: str, place: str, reason: str) -> Fault:
    """Who dialled in is no reader, or none that says so."""
    text = f"{peer} dialled in to {place} and was refused: {reason}"
    return Fault("strange_caller", text, "if this is a reader, restart it; if it is not, nothing needs to be done")
