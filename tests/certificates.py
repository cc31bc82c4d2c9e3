"""Certificates for tests, made by the openssl command: an authority and what it signs."""

import hashlib
import ssl
import subprocess
from pathlib import Path

import pytest

CA_CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
EVER = ("20200101000000Z", "20991231000000Z")
LONG_AGO = ("20200101000000Z", "20210101000000Z")


def _openssl(*arguments: str | Path) -> None:
    try:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the openssl command is missing: apt-get install openssl")
    except subprocess.CalledProcessError as error:
        pytest.fail(error.stderr.decode())


class Signed:
    """A certificate and its key, PEM files."""

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert = cert
        self.key = key

    @property
    def sha256(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.cert.read_text())).hexdigest()

    def server(self, *, ca: Path | None = None) -> ssl.SSLContext:
        """For who is dialled; with `ca` it asks for a client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if ca is not None:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, *, ca: Path) -> ssl.SSLContext:
        """For who dials."""
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    """Signs certificates; `cert` is what others trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.joinpath("ca.cnf").write_text(CA_CONFIG.format(folder=folder))
        folder.joinpath("index.txt").touch()
        folder.joinpath("serial").write_text("01\n")
        own = self.self_signed("authority", "basicConstraints=critical,CA:TRUE")
        self.cert, self._key = own.cert, own.key

    def self_signed(self, name: str, *extensions: str) -> Signed:
        """Signed by nobody else."""
        made = Signed(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        _openssl("req", "-x509", "-out", made.cert, "-days", "2", *self._request(made, name, *extensions))
        return made

    def sign(self, name: str, alt_names: str, valid: tuple[str, str] = EVER) -> Signed:
        """`alt_names` like "IP:127.0.0.1,DNS:reader"."""
        made = Signed(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        asked = self._folder / f"{name}.csr"
        _openssl("req", "-new", "-out", asked, *self._request(made, name, f"subjectAltName={alt_names}"))
        signer = ["-cert", self.cert, "-keyfile", self._key, "-config", self._folder / "ca.cnf"]
        dates = ["-startdate", valid[0], "-enddate", valid[1]]
        _openssl("ca", "-batch", "-notext", *signer, *dates, "-in", asked, "-out", made.cert)
        return made

    @staticmethod
    def _request(made: Signed, name: str, *extensions: str) -> list[str | Path]:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(made.key)]
        return [*key, "-subj", f"/CN={name}", *(part for each in extensions for part in ("-addext", each))]
