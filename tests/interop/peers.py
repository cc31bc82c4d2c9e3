"""Other people's programs, each installed as it comes into a folder of its own: `python -m tests.interop.peers`.

A peer is a lock file in locks/ (a package with hashes for a virtual environment, or a package.json with its lock for
node). What does not install here is named, with the reason, and its tests are skipped.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOCKS = HERE / "locks"
PROGRAMS = HERE / "programs"
HOME = Path(os.environ.get("TALLYGATE_PEERS", HERE.parent.parent / ".venv-interop"))
# A peer installs in seconds; a busy machine takes longer. A registry that does not answer at all is known sooner.
INSTALL_TIMEOUT_S = 180
ANSWER_TIMEOUT_S = 15
NOT_REACHED = re.compile(r"connection|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|timed out", re.IGNORECASE)
PYTHON_PEERS = tuple(sorted(path.stem for path in LOCKS.glob("*.txt")))
NODE_PEERS = tuple(sorted(path.parent.name for path in LOCKS.glob("*/package.json")))


def _lock(peer: str) -> Path:
    return LOCKS / f"{peer}.txt" if peer in PYTHON_PEERS else LOCKS / peer / "package-lock.json"


def _wanted(peer: str) -> str:
    return hashlib.sha256(_lock(peer).read_bytes()).hexdigest()


def _installed(peer: str) -> bool:
    mark = HOME / peer / ".ready"
    return mark.is_file() and mark.read_text(encoding="ascii") == _wanted(peer)


def command(peer: str, program: str, *, runner: bool = False) -> list[str]:
    """How to start `program` of a peer: its own command, or (`runner`) one of programs/ run by the peer's
    interpreter. Skips the whole test module where the peer is not installed.
    """
    if not _installed(peer):
        pytest.skip(f"{peer} is not installed (make interop installs it where it can)", allow_module_level=True)
    if not runner:
        return [str(HOME / peer / "bin" / program)]
    interpreter = shutil.which("node") if peer in NODE_PEERS else str(HOME / peer / "bin" / "python")
    assert interpreter is not None
    return [interpreter, str(PROGRAMS / program)]


def environment(peer: str) -> dict[str, str]:
    """What the peer's process sees: its own packages, unbuffered output, no colours."""
    modules = {"NODE_PATH": str(HOME / peer / "node_modules")} if peer in NODE_PEERS else {}
    return {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", **modules}


def _run(arguments: list[str], folder: Path) -> None:
    subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)


def _install_python(peer: str, folder: Path) -> None:
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], HERE)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    _run(
        [
            *pip,
            "install",
            "--quiet",
            "--retries",
            "1",
            "--timeout",
            str(ANSWER_TIMEOUT_S),
            "--require-hashes",
            "-r",
            str(_lock(peer)),
        ],
        HERE,
    )


def _install_node(peer: str, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise FileNotFoundError("node and npm are not installed (Debian packages nodejs, npm)")
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / peer / name, folder)
    patience = ["--fetch-retries=1", f"--fetch-timeout={1000 * ANSWER_TIMEOUT_S}"]
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *patience], folder)


def _reason(said: str) -> str:
    """What an installer that failed said, in a line; that it found nothing is no news where it reached nobody."""
    lines = said.strip().splitlines() or ["no output"]
    unreached = [line for line in lines if NOT_REACHED.search(line)]
    return f"its package registry cannot be reached ({unreached[0].strip():.160})" if unreached else lines[-1]


def install(peer: str) -> str:
    """Install one peer if need be; what became of it, in words."""
    if _installed(peer):
        return "installed"
    folder = HOME / peer
    shutil.rmtree(folder, ignore_errors=True)
    try:
        (_install_python if peer in PYTHON_PEERS else _install_node)(peer, folder)
    except subprocess.CalledProcessError as error:
        return f"does not install: {_reason(error.stderr or error.stdout or '')}"
    except subprocess.TimeoutExpired:
        return f"does not install within {INSTALL_TIMEOUT_S} s: is its package registry to be reached?"
    except OSError as error:
        return f"does not install: {error}"
    (folder / ".ready").write_text(_wanted(peer), encoding="ascii")
    return "installed"


def main() -> None:
    """Install them all; what cannot be had is named, its tests are skipped, and nothing fails."""
    for peer in (*PYTHON_PEERS, *NODE_PEERS):
        outcome = install(peer)
        print(f"{peer}: {outcome}{'' if _installed(peer) else '; its tests are skipped'}", flush=True)


if __name__ == "__main__":
    main()
