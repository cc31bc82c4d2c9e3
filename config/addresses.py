"""The addresses that a configuration gives as URLs, and `host:port`. Pure; what is wrong is a ValueError's text."""

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from config.base import check_digit

MAX_PORT = 65_535
# LLRP's EUI-64 is 64 bits, and some readers tell their 48-bit MAC address in its place.
EUI64 = re.compile(r"[0-9a-f]{12}|[0-9a-f]{16}")
# EPCs are whole 16-bit words; the longest that a Gen2 tag can hold has 31 of them.
EPC = re.compile(r"(?:[0-9a-f]{4}){1,31}")
SHA256 = re.compile(r"[0-9a-f]{64}")
# A store's GLN, so that a zone's id can be its extension (application identifier 254).
GLN_PLACES = re.compile(r"https://id\.gs1\.org/414/(\d{13})/254/", re.ASCII)
# Other names of places: a web address or URN that is nobody's GS1 key and ends where a zone's id can follow.
OTHER_PLACES = re.compile(r"(?:https?://[!-~]+/|urn:(?!epc:|epcglobal:)[!-~]+:)", re.ASCII)
GS1_KEY = re.compile(r"//id\.gs1\.org/|/(?:00|01|253|255|40[12]|41[47]|800[3468]|8010|801[78])/")


class Address(NamedTuple):
    """Where something listens; `scheme` as it was written, in lower case."""

    scheme: str
    host: str
    port: int


def parse_url(url: str, default_ports: dict[str, int]) -> Address:
    """`scheme://host[:port]` with one of the schemes of `default_ports`."""
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in default_ports:
        known = " or ".join(f"{name}://" for name in default_ports)
        raise ValueError(f"expected an address that starts with {known}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected {scheme}://host:port, {error}") from error
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no user or password in an address: use username and password_file")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"expected {scheme}://host:port and nothing after it")
    if port == 0:
        raise ValueError(f"expected a port from 1 to {MAX_PORT}")
    return Address(scheme, _checked_host(host), port or default_ports[scheme])


def parse_listen(text: str) -> tuple[str, int]:
    """`host:port`, an IPv6 host in brackets; port 0 lets the system choose one."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected host:port, {error}") from error
    if port is None or parts.netloc != text or parts.username is not None:
        raise ValueError('expected host:port, like "127.0.0.1:9477"')
    return _checked_host(host), port


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_identity(text: str) -> str:
    """Who dials in, in the one form that readers are compared in: `ip:10.0.0.11`, `eui64:HEX` or `epc:HEX`.

    Hex may be grouped by colons, dashes or blanks as it stands on labels, in either case.
    """
    kind, _, name = text.strip().lower().partition(":")
    if kind == "ip":
        try:
            return f"ip:{ip_address(name.strip('[]'))}"
        except ValueError:
            raise ValueError("expected ip:ADDRESS with an IPv4 or IPv6 address") from None
    plain = re.sub(r"[-: ]", "", name)
    if kind == "eui64" and EUI64.fullmatch(plain):
        return f"eui64:{plain}"
    if kind == "epc" and EPC.fullmatch(plain):
        return f"epc:{plain}"
    raise ValueError("expected ip:ADDRESS, eui64: and 16 hex digits, or epc: and the hex digits of an EPC")


def parse_sha256(text: str) -> str:
    """A certificate's fingerprint, 64 hex digits, grouped or not."""
    plain = re.sub(r"[-: ]", "", text.lower())
    if not SHA256.fullmatch(plain):
        raise ValueError("expected the SHA-256 of a certificate: 64 hex digits")
    return plain


def parse_places(uri: str) -> str:
    """What a zone's id is appended to: `https://id.gs1.org/414/GLN/254/`, or an address or URN of the shop's own."""
    gln = GLN_PLACES.fullmatch(uri)
    if gln is not None:
        if (wanted := check_digit(gln[1][:-1])) != int(gln[1][-1]):
            raise ValueError(f"expected a GLN with the check digit {wanted}")
    elif not OTHER_PLACES.fullmatch(uri) or GS1_KEY.search(uri):
        raise ValueError("expected https://id.gs1.org/414/GLN/254/, or an address of your own that ends with a slash")
    return uri


def _checked_host(host: str | None) -> str:
    if not host or not host.isprintable() or " " in host:
        raise ValueError("expected a host name or an IP address")
    return host
