"""Short ways to write requests."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.neutron.asking import ADMIN, Ask

NOWHERE = "00000000-0000-4000-8000-000000000000"
TYPE, PHYSICAL, NUMBER = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
EXTERNAL, HOST, VNIC, PROFILE = "router:external", "binding:host_id", "binding:vnic_type", "binding:profile"


def post(path: str, who: tuple[str, str] = ADMIN, save: str = "", **body: Any) -> Ask:
    """Create an object."""
    return Ask("POST", path, _renamed(body), who, save)


def put(path: str, who: tuple[str, str] = ADMIN, **body: Any) -> Ask:
    """Change an object."""
    return Ask("PUT", path, _renamed(body), who)


def get(path: str, who: tuple[str, str] = ADMIN) -> Ask:
    """Show an object or list some."""
    return Ask("GET", path, None, who)


def delete(path: str, who: tuple[str, str] = ADMIN) -> Ask:
    """Delete an object."""
    return Ask("DELETE", path, None, who)


def _renamed(body: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", ":"): value for name, value in body.items()}


def bodies_of(method: str, path: str, bodies: Iterable[dict[str, Any]], who: tuple[str, str] = ADMIN) -> Iterator[Ask]:
    """Send several bodies, one after the other; what is created goes at once."""
    for body in bodies:
        yield Ask(method, path, body, who, clean=method == "POST")
