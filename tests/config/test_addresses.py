import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.addresses import parse_identity, parse_sha256


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("ip:10.0.0.11", "ip:10.0.0.11"),
        ("IP:2001:DB8::0:1", "ip:2001:db8::1"),
        ("ip:[2001:db8::1]", "ip:2001:db8::1"),
        ("eui64:001625FFFE123456", "eui64:001625fffe123456"),
        ("eui64:00:16:25:ff:fe:12:34:56", "eui64:001625fffe123456"),
        (" EUI64:00-16-25-12-34-56 ", "eui64:001625123456"),
        ("epc:3074 257B F719 4E40 0000 1A85", "epc:3074257bf7194e4000001a85"),
    ],
)
def test_an_identity_has_one_form(text: str, identity: str) -> None:
    assert parse_identity(text) == identity
    assert parse_identity(identity) == identity


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.11", "ip:", "ip:reader", "ip:10.0.0.0/8", "eui64:", "eui64:0016", "eui64:xyz", "epc:307", "mac:00"],
)
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(ValueError, match="expected ip:ADDRESS"):
        parse_identity(text)


@given(st.text(max_size=40) | st.text("ip:eui64:epc:0123456789abcdef.-", max_size=40))
def test_any_identity_is_refused_or_has_one_form(text: str) -> None:
    try:
        identity = parse_identity(text)
    except ValueError:
        return
    assert parse_identity(identity) == identity


def test_a_fingerprint_as_openssl_prints_it() -> None:
    plain = "5e" * 32
    assert parse_sha256(":".join(["5E"] * 32)) == plain
    assert parse_sha256(plain) == plain
    for wrong in ("", plain[:-1], plain + "00", "sha256:" + plain, "g" * 64):
        with pytest.raises(ValueError, match="64 hex digits"):
            parse_sha256(wrong)
