"""A small Neutron client whose connections are opened in another machine's network namespace."""

import http.client
import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import namespaces
from stations import Station

Document = dict[str, Any]
ADDRESS = ("127.0.0.1", 9696)


class ApiError(Exception):
    """The service answered with an error; ``status`` is HTTP's, the text has Neutron's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class NotReached(Exception):
    """What was waited for did not happen in time; the text has what was seen instead."""


class Neutron:
    """Speaks as an administrator, or as a member of ``project`` if one is given."""

    def __init__(self, station: Station, project: str | None = None) -> None:
        self._station = station
        self._headers = {"Content-Type": "application/json"}
        if project is not None:
            self._headers |= {"X-Project-Id": project, "X-User-Id": f"user-of-{project}", "X-Roles": "member"}

    def project(self, name: str) -> "Neutron":
        """The same service, spoken to as a member of a project."""
        return Neutron(self._station, name)

    def create(self, kind: str, **attributes: Any) -> Document:
        """Create a resource of a kind such as ``network``; underscores of ``provider__x`` become a colon."""
        body = {kind: {name.replace("__", ":"): value for name, value in attributes.items()}}
        answer: Document = self.request("POST", _path(kind), body)[kind]
        return answer

    def show(self, kind: str, identity: str) -> Document:
        """One resource."""
        answer: Document = self.request("GET", f"{_path(kind)}/{identity}")[kind]
        return answer

    def find(self, kind: str, **filters: str) -> list[Document]:
        """The resources of a kind that fulfil all filters."""
        answer: list[Document] = self.request("GET", f"{_path(kind)}?{urlencode(filters)}")[f"{kind}s"]
        return answer

    def update(self, kind: str, identity: str, **attributes: Any) -> Document:
        """Change attributes of a resource."""
        answer: Document = self.request("PUT", f"{_path(kind)}/{identity}", {kind: attributes})[kind]
        return answer

    def delete(self, kind: str, identity: str) -> None:
        """Remove a resource."""
        self.request("DELETE", f"{_path(kind)}/{identity}")

    def wait_for(self, port_id: str, wanted: Callable[[Document], bool], timeout: float = 30) -> Document:
        """The port, as soon as it is as wanted. Raises NotReached."""
        deadline = time.monotonic() + timeout
        while not wanted(port := self.show("port", port_id)):
            if time.monotonic() > deadline:
                seen = f"{port['status']} on {port.get('binding:host_id') or 'no host'}"
                raise NotReached(f"port {port_id} is still {seen} after {timeout:g} s")
            time.sleep(0.02)
        return port

    def wait_for_status(self, port_id: str, status: str = "ACTIVE", timeout: float = 30) -> Document:
        """The port, as soon as it has a status. Raises NotReached."""
        return self.wait_for(port_id, lambda port: port["status"] == status, timeout)

    def wait_until_realized(self, timeout: float = 30) -> None:
        """Until every live chassis has confirmed all that was asked for so far. Raises ApiError 408."""
        self.request("GET", f"/realized?wait={timeout:g}", timeout=timeout + 10)

    def request(self, method: str, path: str, body: Document | None = None, timeout: float = 30) -> Document:
        """One request and its answer. Raises ApiError, or OSError when nothing listens."""
        text = self.text(method, path, body, timeout)
        return json.loads(text) if text.startswith("{") else {}

    def text(self, method: str, path: str, body: Document | None = None, timeout: float = 30) -> str:
        """The same, for an answer that is no JSON."""
        connection = self.connection(timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, self._headers)
            response = connection.getresponse()
            text = response.read().decode()
        except BaseException:
            connection.close()
            raise
        self.done(connection)
        if response.status >= http.client.BAD_REQUEST:
            raise ApiError(response.status, f"{method} {path}: {text}")
        return text

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """A connection for one request, opened where the service listens. Raises OSError when nothing does."""
        with namespaces.visiting(namespaces.NET, self._station.pid):
            connection = http.client.HTTPConnection(*ADDRESS, timeout=timeout)
            connection.connect()
        return connection

    def done(self, connection: http.client.HTTPConnection) -> None:
        """The request for which the connection was opened has its answer."""
        connection.close()

    def wait_until_in_sync(self, chassis: Iterable[str], timeout: float = 60) -> None:
        """Until these chassis hold what they should. Raises NotReached."""
        missing, deadline = set(chassis), time.monotonic() + timeout
        while missing:
            states = {row["id"]: row["state"] for row in self.request("GET", "/sdnapp/status")["chassis"]}
            missing = {name for name in missing if states.get(name) != "in sync"}
            if missing and time.monotonic() > deadline:
                raise NotReached(f"not in sync after {timeout:g} s: {sorted(missing)}; chassis are {states}")
            time.sleep(0.02)

    def is_up(self) -> bool:
        """Whether the service answers."""
        try:
            self.request("GET", "/healthz", timeout=5)
        except (OSError, ApiError, http.client.HTTPException):
            return False
        return True


def _path(kind: str) -> str:
    return f"/v2.0/{kind.replace('_', '-')}s"
