"""The lab's authority: what it issues, and what it refuses."""

import ssl
import stat
from pathlib import Path

import pytest

from sdnapp.certificates import CertificateError, issue
from sdnapp.commands.main import main


def test_a_certificate_fits_its_key_and_the_authority(tmp_path: Path) -> None:
    made = issue(tmp_path / "ca", "hv1", ("192.0.2.1", "hv1.example.org"))
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca" / "ca-key.pem").stat().st_mode) == 0o600
    made.context(demanding=True)
    decoded = ssl._ssl._test_decode_cert(str(made.cert))  # type: ignore[attr-defined]
    assert decoded["subject"] == ((("commonName", "hv1"),),)
    assert set(decoded["subjectAltName"]) == {
        ("DNS", "hv1"),
        ("IP Address", "192.0.2.1"),
        ("DNS", "hv1.example.org"),
    }


def test_one_authority_issues_all_and_again(tmp_path: Path) -> None:
    first = issue(tmp_path, "hv1")
    authority = first.ca.read_bytes()
    before = first.cert.read_bytes()
    assert issue(tmp_path, "hv1").cert.read_bytes() != before
    assert issue(tmp_path, "hv2").ca.read_bytes() == authority


@pytest.mark.parametrize("name", ["", "ca", "../evil", "a b", "x" * 65])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificateError, match="cannot be the name of a certificate"):
        issue(tmp_path, name)


def test_an_authority_that_is_none(tmp_path: Path) -> None:
    for name in ("ca.pem", "ca-key.pem"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(CertificateError, match="no authority that this can use"):
        issue(tmp_path, "hv1")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ca", "issue", "controller", "--address", "192.0.2.1", "--directory", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"tls_cert {tmp_path}/controller.pem" in said
    assert main(["ca", "issue", "no name", "--directory", str(tmp_path)]) == 1
