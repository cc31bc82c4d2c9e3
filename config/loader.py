"""From a file to a `Config`, or to everything that is wrong with it at once."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from config.checks import Finding, cross_check, tables
from config.effective import Config, Secrets, TlsFiles, effective
from config.lines import KeyPath, key_lines, line_of
from config.models import ConfigFile
from config.problems import ConfigError, Problem, Severity
from config.secrets import SecretError, check_private, find_file, read_secret
from config.serial_checks import serial_checks
from config.wording import in_words

# A store with a thousand readers needs a tenth of it; more is not a configuration.
MAX_CONFIG_BYTES = 1_000_000
# 16 characters of base64 are 96 bits: nobody guesses them over HTTP.
MIN_TOKEN_CHARACTERS = 16
# tomllib (3.11) tells the place of a syntax error only in its text.
ERROR_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


def load(path: str | Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in the file at `path`; ConfigError with every problem of it when it cannot be used."""
    path = Path(path)
    return parse(read_text(path), path, environ)


def read_text(path: Path) -> str:
    """The text of the file at `path`. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _single(path, 0, f"cannot be read: {reason}", hint="name an existing file that you may read") from error
    if len(content) > MAX_CONFIG_BYTES:
        raise _single(path, 0, f"has more than {MAX_CONFIG_BYTES} bytes", hint="this is not a configuration file")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _single(path, line, f"byte 0x{content[error.start]:02X} is not UTF-8", "text in UTF-8") from error


def parse(text: str, path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """`load` for a text that is not (yet) the content of `path`; relative names are looked up beside `path`."""
    data, lines = read_toml(text, path)
    return judge(data, lines, path, environ)


def judge(data: dict[str, Any], lines: Mapping[KeyPath, int], path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration that `data` is, as tomllib gives it; `lines` says where its keys stand in `path`."""
    findings = [*cross_check(data), *serial_checks(tables(data, "readers"))]
    secrets = _secrets(data, path.parent, environ, findings)
    file = _validated(data, findings)
    problems = _problems(findings, path, lines)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors or file is None:
        raise ConfigError(problems)
    return effective(file, path, secrets, problems)


def read_toml(text: str, path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The plain data of a TOML text, and the line of each of its keys. Raises ConfigError."""
    try:
        return tomllib.loads(text), key_lines(text)
    except ValueError as error:  # a TOMLDecodeError, or a number of more digits than Python reads
        message = str(error)
        place = ERROR_PLACE.search(message)
        last_line = text.count("\n") + (not text.endswith("\n"))
        line = int(place["line"]) if place and place["line"] else max(1, last_line)
        reason = ERROR_PLACE.sub("", message)
        raise _single(path, line, f"not valid TOML: {reason}", hint="see https://toml.io/en/v1.0.0") from error
    except RecursionError as error:
        raise _single(path, 1, "not valid TOML: nested too deeply", hint="no key needs more than three levels") from (
            error
        )


def _validated(data: Mapping[str, Any], findings: list[Finding]) -> ConfigFile | None:
    """The file by its models; what they do not accept goes to `findings`."""
    try:
        return ConfigFile.model_validate(data)
    except ValidationError as error:
        findings.extend(in_words(error))
        return None


def _secrets(data: Mapping[str, Any], folder: Path, environ: Mapping[str, str], findings: list[Finding]) -> Secrets:
    """The files that [mqtt], [http] and the readers name; what is wrong with them goes to `findings`."""
    files = _FileFinder(folder, environ, findings)
    section = data.get("mqtt")
    mqtt = section if isinstance(section, dict) else {}
    section = data.get("http")
    http = section if isinstance(section, dict) else {}
    of_readers = {index: files.tls(("readers", index), table) for index, table in tables(data, "readers")}
    return Secrets(
        password=files.secret(("mqtt", "password_file"), mqtt),
        tls_files=files.tls(("mqtt",), mqtt),
        of_readers=of_readers,
        http_token=files.secret(("http", "token_file"), http, MIN_TOKEN_CHARACTERS),
    )


class _FileFinder:
    """Looks up the files that a table names; what is wrong with one goes to `findings`, and it counts as not given."""

    def __init__(self, folder: Path, environ: Mapping[str, str], findings: list[Finding]) -> None:
        self._folder = folder
        self._environ = environ
        self._findings = findings

    def find(self, key: KeyPath, table: Mapping[str, Any]) -> Path | None:
        """The file that the last part of `key` names in `table`."""
        name = table.get(str(key[-1]))
        if not isinstance(name, str) or not name:
            return None
        try:
            path = find_file(name, self._folder, self._environ)
            if key[-1] == "key_file":
                check_private(path)
        except SecretError as error:
            self._findings.append(Finding(key, error.text, hint=error.hint))
            return None
        return path

    def secret(self, key: KeyPath, table: Mapping[str, Any], least: int = 1) -> SecretStr | None:
        """What the file holds that the last part of `key` names in `table`: at least so many characters."""
        path = self.find(key, table)
        if path is None:
            return None
        try:
            secret = read_secret(path)
        except SecretError as error:
            self._findings.append(Finding(key, error.text, hint=error.hint))
            return None
        if len(secret.get_secret_value()) < least:
            hint = f"write one of at least {least} characters into it: openssl rand -hex 32"
            self._findings.append(Finding(key, f"{path} holds a token that can be guessed", hint=hint))
            return None
        return secret

    def tls(self, place: KeyPath, table: Mapping[str, Any]) -> TlsFiles:
        """The certificates of the table at `place`."""
        return TlsFiles(*(self.find((*place, key), table) for key in ("ca_file", "cert_file", "key_file")))


def _problems(findings: Iterable[Finding], path: Path, lines: Mapping[KeyPath, int]) -> tuple[Problem, ...]:
    problems = (
        Problem(str(path), line_of(lines, key), key_text(key), text, expected, hint, severity)
        for key, text, expected, hint, severity in findings
    )
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.key)))


def key_text(path: KeyPath) -> str:
    """A key as a person writes it: `readers[0].antennas.1`."""
    return "".join(_key_parts(path)).removeprefix(".")


def _key_parts(path: KeyPath) -> Iterator[str]:
    for part in path:
        yield f"[{part}]" if isinstance(part, int) else f".{part}"


def _single(path: Path, line: int, text: str, expected: str = "", hint: str = "") -> ConfigError:
    return ConfigError([Problem(str(path), line, "", text, expected, hint)])
