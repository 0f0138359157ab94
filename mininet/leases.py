"""Real DHCP clients inside instances: BusyBox's udhcpc and ISC's dhclient."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from stations import Instance

CLIENTS = Path(__file__).resolve().parent / "clients"
CONFIGURE = CLIENTS / "configure"


@dataclass(frozen=True)
class Lease:
    """What a client got and applied; text as the client gave it, empty where the server said nothing."""

    address: str
    netmask: str
    gateway: str
    mtu: str
    servers: str
    domain: str
    server: str
    seconds: str
    routes: str
    milliseconds: float
    """From the start of the client to the end of its work."""


def lease(instance: Instance, client: str = "udhcpc", patience: int = 20) -> Lease:
    """Let an instance lease its address. Raises CommandFailed if the client gets none within some ``patience`` seconds.

    dhclient's patience is in its configuration.
    """
    record = instance.directory / "lease"
    record.unlink(missing_ok=True)
    command = _dhclient(instance, record) if client == "dhclient" else _udhcpc(record, patience)
    started = time.monotonic()
    instance.run(*command)
    elapsed = time.monotonic() - started
    leased = dict(line.split("=", 1) for line in record.read_text().splitlines())
    return Lease(**leased, milliseconds=elapsed * 1000)


def _udhcpc(record: Path, patience: int) -> list[str]:
    options = [f"-O{option}" for option in ("mtu", "staticroutes", "search")]
    once = ["-f", "-q", "-n", "-T", "1", "-t", str(patience)]  # foreground, end when bound; a try each second
    return ["env", f"LEASE_FILE={record}", "udhcpc", "-i", "eth0", "-s", str(CONFIGURE), *once, *options]


def _dhclient(instance: Instance, record: Path) -> list[str]:
    # A copy, because Ubuntu's AppArmor profile ties the installed program to files in /var/lib/dhcp.
    program = instance.directory / "dhclient"
    if not program.exists():
        shutil.copy(str(shutil.which("dhclient")), program)
    files = [f"-{option}f" for option in "lp"]
    return [
        str(program),
        "-1",  # one try; goes to the background when bound, and renews there
        *(part for option, name in zip(files, ("leases", "pid"), strict=True) for part in (option, str(record) + name)),
        "-cf",
        str(CLIENTS / "dhclient.conf"),
        "-sf",
        str(CONFIGURE),
        "-e",
        f"LEASE_FILE={record}",
        "eth0",
    ]
