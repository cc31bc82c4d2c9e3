"""Where secrets are looked up, what is refused, and that they show nowhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config import Config, ConfigError, load
from config.secrets import MAX_SECRET_BYTES, SecretError, find_file, read_secret

PASSWORD = "correct horse"


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def with_password(good: str, name: str) -> str:
    return good.replace("[[zones]]", f'username = "gw-1"\npassword_file = "{name}"\n[[zones]]', 1)


def test_credentials_come_first(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    beside = private(tmp_path / "password", b"beside")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert find_file("password", tmp_path, environ) == beside
    first = private(credentials / "password", b"first")
    assert find_file("password", tmp_path, environ) == first
    assert find_file("password", tmp_path, {}) == beside
    assert find_file(str(beside), tmp_path / "elsewhere", environ) == beside


def test_a_name_with_a_folder_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    private(tmp_path / "outside", b"x")
    with pytest.raises(SecretError, match="no file"):
        find_file("../outside", tmp_path / "config", {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\n"])
def test_one_line_end_is_no_part_of_a_secret(tmp_path: Path, content: bytes) -> None:
    assert read_secret(private(tmp_path / "p", content)).get_secret_value() == PASSWORD


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "one line"),
        (b"\n", "one line"),
        (b"a\nb\n", "one line"),
        (b"a\0b", "one line"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * (MAX_SECRET_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_password(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SecretError, match=said) as caught:
        read_secret(private(tmp_path / "p", content))
    assert caught.value.hint
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o777])
def test_a_password_that_all_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "p", b"secret")
    path.chmod(mode)
    with pytest.raises(SecretError, match="every user") as caught:
        read_secret(path)
    assert "chmod 0600" in caught.value.hint


def test_a_password_shows_nowhere(good: str, loaded: Callable[[str], Config], tmp_path: Path) -> None:
    private(tmp_path / "mqtt-password", PASSWORD.encode() + b"\n")
    config = loaded(with_password(good, "mqtt-password"))
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == PASSWORD
    assert PASSWORD not in repr(config)
    assert PASSWORD not in str(config)
    before = config.fingerprint
    private(tmp_path / "mqtt-password", b"another")
    assert loaded(with_password(good, "mqtt-password")).fingerprint == before


@pytest.mark.parametrize(
    "line",
    [
        'password = "correct horse"',
        'passwd = "correct horse"',
        'password_file = ["correct horse"]',
        'url = "mqtt://gw-1:correct horse@broker"',
        'url = "mqtt:/gw-1:correct horse@broker"',
        'protocol = "correct horse"',
    ],
)
def test_a_misplaced_password_is_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[site]\nid = "s"\ngateway = "g"\n[mqtt]\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert PASSWORD not in str(caught.value)
    assert any(problem.key.startswith("mqtt.") for problem in caught.value.problems)


def test_missing_files_are_told_with_the_places(good: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(with_password(good, "mqtt-password").replace("mqtt://", "mqtts://"))
    with pytest.raises(ConfigError) as caught:
        load(path, {"CREDENTIALS_DIRECTORY": "/run/credentials/x"})
    (found,) = caught.value.problems
    assert (found.key, found.line) == ("mqtt.password_file", 7)
    assert "/run/credentials/x/mqtt-password" in found.hint
    assert str(tmp_path / "mqtt-password") in found.hint


def test_files_of_a_tls_link(good: str, tmp_path: Path) -> None:
    for name in ("ca.pem", "c.pem"):
        (tmp_path / name).write_text("public")
    key = private(tmp_path / "c.key", b"private")
    tls = 'ca_file = "ca.pem"\ncert_file = "c.pem"\nkey_file = "c.key"\n[[zones]]'
    path = tmp_path / "c.toml"
    path.write_text(good.replace("mqtt://", "mqtts://").replace("[[zones]]", tls, 1))
    files = load(path, {}).mqtt.tls_files
    assert (files.ca_file, files.cert_file, files.key_file) == (tmp_path / "ca.pem", tmp_path / "c.pem", key)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="every user"):
        load(path, {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('password_file = "p"', "a username beside"),
        ('cert_file = "p"', "cert_file and key_file together"),
        ('ca_file = "p"', "mqtts://"),
    ],
)
def test_what_belongs_together(good: str, tmp_path: Path, line: str, said: str) -> None:
    private(tmp_path / "p", b"x")
    path = tmp_path / "c.toml"
    path.write_text(good.replace("[[zones]]", f"{line}\n[[zones]]", 1))
    with pytest.raises(ConfigError, match=said) as caught:
        load(path, {})
    assert [(problem.key, problem.line) for problem in caught.value.problems] == [("mqtt", 4)]
