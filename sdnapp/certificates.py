"""A small certificate authority for labs: one directory with its key, its certificate, and those that it has issued.

Whoever has an authority of his own needs none of this: the controller and Open vSwitch take any PEM files in which the
common name of a switch's certificate is the chassis's id.
"""

import os
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sdnapp.tls import Credentials

_LIFETIME = timedelta(days=3650)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AUTHORITY = "ca"


class CertificateError(Exception):
    """What was asked for cannot be issued; the text names the fix."""


def issue(directory: Path, name: str, addresses: tuple[str, ...] = ()) -> Credentials:
    """Issue a certificate in a name, with a new key; return the files, which replace earlier ones of that name.

    ``addresses`` are the host names and IP addresses at which clients reach whoever shows it. The authority is made if
    the directory has none. Raises CertificateError.
    """
    if not _NAME.fullmatch(name) or name == _AUTHORITY:
        raise CertificateError(f"{name!r} cannot be the name of a certificate: use up to 64 letters, digits, . _ and -")
    names = [_general_name(each) for each in (name, *addresses)]
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority, key = _authority(directory)
        own_key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder(name, authority.subject, own_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return _write(directory, name, made, own_key)
    except OSError as error:
        raise CertificateError(f"{error.filename or directory}: {error.strerror}") from error


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert, key = _files(directory, _AUTHORITY)
    if not cert.exists() and not key.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sdnapp lab authority")])
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        own = (
            _builder("sdnapp lab authority", name, made)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(made.public_key()), critical=False)
            .sign(made, hashes.SHA256())
        )
        _write(directory, _AUTHORITY, own, made)
    try:
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{cert} and {key} are no authority that this can use: {error}") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{key} was made by something else than this: name another directory")
    return certificate, found


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of a lab differ.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError:
        raise CertificateError(f"{text!r} is neither an IP address nor a host name") from None


def _write(directory: Path, name: str, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Credentials:
    cert_file, key_file = _files(directory, name)
    key_file.unlink(missing_ok=True)
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write(key.private_bytes(pem, pkcs8, plain))
    cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return Credentials(cert_file, key_file, _files(directory, _AUTHORITY)[0])


def _files(directory: Path, name: str) -> tuple[Path, Path]:
    return directory / f"{name}.pem", directory / f"{name}-key.pem"
