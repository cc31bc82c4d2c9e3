import pytest

from readers.port.settings import LineFormat, Parity, PortSettings


def test_an_url_says_all_of_it() -> None:
    url = (
        "serial:///dev/serial/by-id/usb-FTDI_A-if00-port0?baudrate=2400&bytesize=7&parity=E&stopbits=2"
        "&xonxoff=true&rtscts=1&dtr=0&rts=false&echo=true"
    )
    assert PortSettings.of(url) == PortSettings(
        device="/dev/serial/by-id/usb-FTDI_A-if00-port0",
        baudrate=2400,
        bytesize=7,
        parity=Parity.EVEN,
        stopbits=2,
        xonxoff=True,
        rtscts=True,
        dtr=False,
        rts=False,
        echo=True,
    )


def test_what_is_not_said_is_as_the_device_usually_has_it() -> None:
    usual = LineFormat(2400, 7, Parity.EVEN, 1, xonxoff=False)
    assert PortSettings.of("serial:///dev/x").line_format(usual) == usual
    assert PortSettings.of("serial:///dev/x?baudrate=300&parity=N").line_format(usual) == LineFormat(
        300, 7, Parity.NONE, 1
    )


@pytest.mark.parametrize(
    ("url", "device", "address"),
    [
        ("socket://10.0.0.5:4001", "socket://10.0.0.5:4001", "10.0.0.5:4001"),
        ("socket://[::1]:4001/?echo=1", "socket://[::1]:4001", "[::1]:4001"),
        ("serial:///dev/ttyS0", "/dev/ttyS0", "/dev/ttyS0"),
        (
            "serial:///dev/serial/by-id/usb-A#1+2-port0?echo=0",
            "/dev/serial/by-id/usb-A#1+2-port0",
            "/dev/serial/by-id/usb-A#1+2-port0",
        ),
    ],
)
def test_where_it_is(url: str, device: str, address: str) -> None:
    port = PortSettings.of(url)
    assert (port.device, port.address, port.is_socket) == (device, address, url.startswith("socket"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/dev/ttyUSB0", "serial:///"),
        ("tcp://10.0.0.5:1", "serial:///"),
        ("serial://dev/ttyUSB0", "whole path"),
        ("serial:///", "whole path"),
        ("serial:///dev/x?baud=9600", "no baud"),
        ("serial:///dev/x?baudrate=fast", "from 50"),
        ("serial:///dev/x?baudrate=99999999", "from 50"),
        ("serial:///dev/x?parity=even", "parity as one of N, E"),
        ("serial:///dev/x?bytesize=9", "bytesize"),
        ("serial:///dev/x?baudrate", "expected serial://"),
        ("serial:///dev/x\0y", "printable"),
        ("socket://h:1#1", "host:port"),
        ("socket://10.0.0.5", "host:port"),
        ("socket://10.0.0.5:0", "host:port"),
        ("socket://10.0.0.5:70000", "expected socket://"),
        ("socket://u@h:1", "host:port"),
        ("socket://h:1/x", "host:port"),
        ("socket://h:1?baudrate=9600", "no baudrate"),
    ],
)
def test_what_names_no_port_is_refused_in_words(url: str, words: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        PortSettings.of(url)
    assert words in str(caught.value)
