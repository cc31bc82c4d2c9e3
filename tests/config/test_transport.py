"""How a reader is reached: what a file may say of it, and what that means."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config import Config, Problem
from readers.llrp.settings import LlrpSettings, TlsSettings

Load = Callable[[str], Config]
Problems = Callable[[str], list[Problem]]
PIN = "5e" * 32
PLAIN = 'url = "llrp://10.0.0.11"'
LISTEN = 'url = "llrp+listen://0.0.0.0"\nidentity = "ip:10.0.0.11"'


def second(lines: str) -> str:
    return f'[[readers]]\nid = "c2"\ndriver = "llrp"\nantennas = {{ 1 = "floor" }}\n{lines}\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("ca.pem", "gw.pem", "gw.key"):
        path = tmp_path / name
        path.write_text("-----BEGIN")
        path.chmod(0o600)
    return tmp_path


def settings(config: Config) -> LlrpSettings:
    return config.readers[0].settings


def test_tls_with_a_pin(good: str, loaded: Load) -> None:
    text = good.replace(PLAIN, f'url = "LLRPS://10.0.0.11"\npin_sha256 = "{":".join(["5E"] * 32)}"')
    assert settings(loaded(text)) == LlrpSettings("10.0.0.11", (1,), port=5085, tls=TlsSettings(PIN))
    assert settings(loaded(text)).address == "10.0.0.11:5085"


def test_tls_with_files_beside_the_configuration(good: str, loaded: Load, files: Path) -> None:
    names = 'ca_file = "ca.pem"\ncert_file = "gw.pem"\nkey_file = "gw.key"'
    config = loaded(good.replace(PLAIN, f'url = "llrps://reader:5086"\n{names}'))
    tls = TlsSettings(None, files / "ca.pem", files / "gw.pem", files / "gw.key")
    assert settings(config) == LlrpSettings("reader", (1,), port=5086, tls=tls)
    assert config.mqtt.tls_files.ca_file is None


def test_tls_by_the_authorities_of_the_system(good: str, loaded: Load) -> None:
    assert settings(loaded(good.replace(PLAIN, 'url = "llrps://reader"'))).tls == TlsSettings()


def test_a_reader_that_dials_in(good: str, loaded: Load, files: Path) -> None:
    assert settings(loaded(good)).listens is False
    text = good.replace(PLAIN, 'url = "llrp+listen://0.0.0.0"\nidentity = "eui64:00-16-25-FF-FE-12-34-56"')
    found = settings(loaded(text))
    identity = "eui64:001625fffe123456"
    assert found == LlrpSettings("0.0.0.0", (1,), port=5084, listens=True, identity=identity)
    assert found.address == f"{identity} at 0.0.0.0:5084"
    names = 'cert_file = "gw.pem"\nkey_file = "gw.key"'
    over_tls = settings(loaded(text.replace("llrp+listen://0.0.0.0", "llrps+listen://[::]:5099") + names))
    assert (over_tls.port, over_tls.listens, over_tls.address) == (5099, True, f"{identity} at [::]:5099")
    assert over_tls.tls == TlsSettings(cert_file=files / "gw.pem", key_file=files / "gw.key")


def test_each_way_has_its_fingerprint(good: str, loaded: Load) -> None:
    ways = [PLAIN, LISTEN, LISTEN.replace("10.0.0.11", "10.0.0.12"), 'url = "llrps://10.0.0.11"']
    ways.append(f'{ways[-1]}\npin_sha256 = "{PIN}"')
    assert len({loaded(good.replace(PLAIN, way)).fingerprint for way in ways}) == len(ways)


@pytest.mark.parametrize(
    ("way", "key", "said"),
    [
        ('url = "llrp+listen://0.0.0.0"', "readers[0]", "identity where the url is +listen://"),
        (f'{PLAIN}\nidentity = "ip:10.0.0.11"', "readers[0]", "and only there"),
        (f'{LISTEN[: LISTEN.index(chr(10))]}\nidentity = "reader 7"', "readers[0].identity", "ip:ADDRESS"),
        (f'{PLAIN}\npin_sha256 = "{PIN}"', "readers[0]", "llrps:// url"),
        ('url = "llrps://a"\npin_sha256 = "5e"', "readers[0].pin_sha256", "64 hex digits"),
        (f'url = "llrps://a"\npin_sha256 = "{PIN}"\nca_file = "ca.pem"', "readers[0]", "either pin_sha256 or ca_file"),
        ('url = "llrps://a"\ncert_file = "gw.pem"', "readers[0]", "cert_file and key_file together"),
        ('url = "llrps://a"\nca_file = "gone.pem"', "readers[0].ca_file", "no file 'gone.pem'"),
        (LISTEN.replace("llrp+", "llrps+"), "readers[0]", "where readers dial in over TLS"),
        ('url = "llrpx://a"', "readers[0].url", "llrp:// or llrps:// or llrp+listen:// or llrps+listen://"),
        (f'{PLAIN}\npin_sha265 = "{PIN}"', "readers[0].pin_sha265", "did you mean pin_sha256?"),
    ],
)
@pytest.mark.usefixtures("files")
def test_one_fault(good: str, problems: Problems, way: str, key: str, said: str) -> None:
    (found,) = problems(good.replace(PLAIN, way))
    assert found.key == key
    assert said in str(found)


def test_a_key_that_everybody_may_read(good: str, problems: Problems, files: Path) -> None:
    (files / "gw.key").chmod(0o644)
    way = 'url = "llrps://a"\ncert_file = "gw.pem"\nkey_file = "gw.key"'
    (found,) = problems(good.replace(PLAIN, way))
    assert found.key == "readers[0].key_file"
    assert "chmod 0600" in found.hint


def test_readers_that_dial_in_share_a_port(good: str, loaded: Load, problems: Problems, files: Path) -> None:
    text = good.replace(PLAIN, LISTEN)
    assert len(loaded(text + second(LISTEN.replace("10.0.0.11", "10.0.0.12"))).readers) == 2
    (same,) = problems(text + second(LISTEN.replace("ip:10.0.0.11", "IP:10.0.0.11")))
    assert same.key == "readers[1].identity"
    assert "readers[0] is known by this identity" in same.text
    tls = LISTEN.replace("llrp+listen://0.0.0.0", "llrps+listen://0.0.0.0:5084").replace("10.0.0.11", "10.0.0.12")
    (mixed,) = problems(text + second(f'{tls}\ncert_file = "{files}/gw.pem"\nkey_file = "{files}/gw.key"'))
    assert mixed.key == "readers[1].url"
    assert "other TLS settings" in mixed.text
    # Another port is another matter, and so is the same one on a machine that is dialled.
    assert loaded(text + second('url = "llrp+listen://0.0.0.0:5090"\nidentity = "ip:10.0.0.11"'))
    assert loaded(text + second('url = "llrp://0.0.0.0:5084"'))
