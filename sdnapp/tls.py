"""TLS: what the controller shows to its peers, whom it lets in, and by what name a peer goes.

A switch's certificate carries the chassis's id as its common name, so that no switch speaks for another.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Credentials:
    """Files in PEM: our certificate and its key, and the certificates of those who may vouch for peers."""

    cert: Path
    key: Path
    ca: Path

    def context(self, *, demanding: bool) -> ssl.SSLContext:
        """Return what a server listens with; if ``demanding``, to peers with a certificate only.

        Raises OSError (ssl.SSLError is one) for files that cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key)
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED if demanding else ssl.CERT_NONE
        return context


def peer_name(sock: Any) -> str | None:
    """Return the common name in the certificate of a connection's peer; None without TLS or without a certificate."""
    certificate = sock.getpeercert() if hasattr(sock, "getpeercert") else None
    if not certificate:
        return None
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else None
