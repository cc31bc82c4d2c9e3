"""Secrets and certificates come from files, never from the configuration's own text."""

import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what LoadCredential= names (systemd.exec(5), CREDENTIALS)."""
# A password is a line; whoever names a key ring or a disk image by mistake shall hear of it.
MAX_SECRET_BYTES = 4096


class SecretError(Exception):
    """A file that cannot be used: `text` says why, `hint` what to do. Neither holds any of its content."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


def find_file(name: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """The file that `name` means: absolute, else $CREDENTIALS_DIRECTORY/name, else `folder`/name. SecretError."""
    candidates = [folder / name]
    credentials = environ.get(CREDENTIALS_DIRECTORY)
    # A credential's name is a plain file name; anything with a folder in it is not meant.
    if credentials and Path(name).name == name:
        candidates.insert(0, Path(credentials) / name)
    for candidate in candidates:
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError) as error:
            raise SecretError(f"{name!r} cannot be looked up: {error}", "give the name of a readable file") from error
    places = " and ".join(str(candidate) for candidate in candidates)
    raise SecretError(
        f"no file {name!r}",
        f"looked for {places}; a relative name is looked up in ${CREDENTIALS_DIRECTORY}, then beside this file",
    )


def check_private(path: Path) -> None:
    """Refuses a file that every user of the machine may read. SecretError."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}", "check the file's owner and mode") from error
    if mode & stat.S_IROTH:
        raise SecretError(
            f"{path} can be read by every user (mode {stat.S_IMODE(mode):04o})",
            f"chmod 0600 {path}, owned by the user that the gateway runs as",
        )


def read_secret(path: Path) -> SecretStr:
    """The one line in `path`, without its line end. SecretError when it is open to all, empty, binary or too large."""
    check_private(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}", "check the file's owner and mode") from error
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(f"{path} has more than {MAX_SECRET_BYTES} bytes", "put the password alone into the file")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not text in UTF-8", "put the password alone into the file") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret or "\n" in secret or "\0" in secret:
        raise SecretError(f"{path} does not hold one line of text", "put the password alone into the file")
    return SecretStr(secret)
