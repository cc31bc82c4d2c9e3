"""The addresses that a configuration gives as URLs, and `host:port`. Pure; what is wrong is a ValueError's text."""

from typing import NamedTuple
from urllib.parse import urlsplit

MAX_PORT = 65_535


class Address(NamedTuple):
    """Where something listens; `scheme` as it was written, in lower case."""

    scheme: str
    host: str
    port: int


def parse_url(url: str, default_ports: dict[str, int], later: dict[str, str] | None = None) -> Address:
    """`scheme://host[:port]` with one of the schemes of `default_ports`; a scheme of `later` is refused by its text."""
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if later and scheme in later:
        raise ValueError(later[scheme])
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


def _checked_host(host: str | None) -> str:
    if not host or not host.isprintable() or " " in host:
        raise ValueError("expected a host name or an IP address")
    return host
