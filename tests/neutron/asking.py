"""Requests told once and sent to any server: what a corpus is made of, and how its answers are read.

Ids differ from server to server, so bodies and paths name objects as ``{name}``: what a request made is remembered
under the name that it gave in ``save``.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

RED, BLUE = "a" * 32, "b" * 32
ADMIN = (RED, "admin,manager,member,reader,service")
MANAGER = (RED, "manager,member,reader")
MEMBER = (RED, "member,reader")
READER = (RED, "reader")
STRANGER = (BLUE, "member,reader")

_NAMES = {
    ADMIN: "",
    MANAGER: " as manager",
    MEMBER: " as member",
    READER: " as reader",
    STRANGER: " as stranger",
}
_PLURALS = {"rbac-policies": "rbac_policy"}
_BENEATH = ("bindings", "port_forwardings")
_BARE = ("_router_interface", "_addresses")
_NOT_COMPARED = frozenset({"revision_number", "created_at", "updated_at"})
ABSENT = "(absent)"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DRAWN_MAC = re.compile(r"fa:16:3e(:[0-9a-f]{2}){3}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?")
# Sets in messages, and ids one after the other, come in any order.
_ANY_ORDER = (re.compile(r"(?<=\{)'\w+'(?:, '\w+')+(?=\})"), re.compile(r"<[\w-]+>(?:,<[\w-]+>)+"))


@dataclass(frozen=True)
class Ask:
    """One request. ``body`` is the object alone: the key around it follows from the path.

    ``raw`` is a body that is sent as it is. ``clean``: what was made is deleted again at once. ``if_match`` is the
    header of that name.
    """

    method: str
    path: str
    body: Any = None
    who: tuple[str, str] = ADMIN
    save: str = ""
    raw: bytes | None = None
    clean: bool = False
    if_match: str = ""

    @property
    def title(self) -> str:
        """What names the request in tables and in the list of known differences."""
        role = _NAMES.get(self.who, " as ?")
        body = f" {json.dumps(self.body)}" if self.body is not None else f" {self.raw!r}" if self.raw else ""
        return f"{self.method} {self.path}{body}{role}{self.if_match and f' if {self.if_match}'}"


@dataclass(frozen=True)
class Answer:
    """A status with the body, normalised: ids, times and drawn MAC addresses have their kind in their place."""

    status: int
    body: Any

    @property
    def error(self) -> tuple[str, str] | None:
        """Type and message of an error."""
        found = self.body.get("NeutronError") if isinstance(self.body, dict) else None
        return (found["type"], found["message"]) if isinstance(found, dict) else None

    def __str__(self) -> str:
        kind, message = self.error or ("", "")
        return f"{self.status} {kind}: {message}" if kind else str(self.status)


@dataclass
class Server:
    """One server, and the ids of what was made there."""

    url: str
    ids: dict[str, str] = field(default_factory=dict)

    def answer(self, ask: Ask) -> Answer:
        """Send a request; remember or delete what it made."""
        path, body = self._named(ask.path), ask.raw
        if ask.body is not None:
            body = self._named(json.dumps(ask.body if _is_bare(ask.path) else {_key(ask.path): ask.body})).encode()
        status, text = self._send(ask.method, path, body, ask.who, ask.if_match)
        found = _first_of(text)
        made = found.get("id") if status in (200, 201) and isinstance(found, dict) else None
        if made and ask.save:
            self.ids[ask.save] = made
        answer = Answer(status, _normalised(self._without_ids(text), (body or b"").decode(errors="replace")))
        if made and ask.clean:
            self._send("DELETE", f"{path}/{made}", None, ADMIN)
        return answer

    def _named(self, text: str) -> str:
        for name, value in self.ids.items():
            text = text.replace("{" + name + "}", value)
        return text

    def _without_ids(self, text: str) -> str:
        for name, value in self.ids.items():
            text = text.replace(value, f"<{name}>")
        return text.replace(self.url, "<url>")

    def _send(
        self, method: str, path: str, body: bytes | None, who: tuple[str, str], if_match: str = ""
    ) -> tuple[int, str]:
        headers = {"X-Project-Id": who[0], "X-Roles": who[1], "X-User-Id": "u", "Content-Type": "application/json"}
        headers |= {"If-Match": if_match} if if_match else {}
        url = f"{self.url}{path}" if path.startswith("/") else f"{self.url}/v2.0/{path}"
        request = urllib.request.Request(urllib.parse.quote(url, "/:?&=%"), method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=100) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def _is_bare(path: str) -> bool:
    """Return whether a body that is sent to a path has no key around it."""
    return path.endswith(_BARE)


def _key(path: str) -> str:
    """Return the key of a body that is sent to a path."""
    parts = path.partition("?")[0].split("/")
    collection = parts[2] if len(parts) > 2 and parts[2] in _BENEATH else parts[0]
    return _PLURALS.get(collection, collection.replace("-", "_").removesuffix("s"))


def _first_of(text: str) -> Any:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return next(iter(body.values()), None) if isinstance(body, dict) else None


def _normalised(text: str, asked: str) -> Any:
    """Return a body with what servers draw by chance replaced by its kind; what was asked for stays."""
    text = _TIME.sub("<time>", _DRAWN_MAC.sub("<mac>", _UUID.sub("<id>", text)))
    for several in _ANY_ORDER:
        text = several.sub(lambda match: ",".join(sorted(match.group().replace(", ", ",").split(","))), text)
    try:
        body = json.loads(text)
    except ValueError:
        return text
    return _drawn(body, asked)


def _drawn(value: Any, asked: str) -> Any:
    if isinstance(value, list):
        return [_drawn(each, asked) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for name, each in value.items():
        if name in _NOT_COMPARED:
            shown[name] = "<drawn>"
        elif name in ("ip_address", "floating_ip_address") and each not in asked:
            shown[name] = "<ip>"
        elif name == "provider:segmentation_id" and f'"{name}": {each}' not in asked:
            shown[name] = "<number>"
        else:
            shown[name] = _drawn(each, asked)
    return shown


def differences(ours: Answer, theirs: Answer) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between two answers: what, ours, theirs."""
    if ours.status != theirs.status:
        yield "status", str(ours), str(theirs)
    elif ours.error and theirs.error:
        for what, one, other in zip(("type", "message"), ours.error, theirs.error, strict=True):
            if one != other:
                yield what, one, other
    else:
        yield from _between(ours.body, theirs.body, "")


def _between(ours: Any, theirs: Any, at: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            place = f"{at}.{name}" if at else name
            if name not in theirs:
                yield place, json.dumps(ours[name]), ABSENT
            elif name not in ours:
                yield place, ABSENT, json.dumps(theirs[name])
            else:
                yield from _between(ours[name], theirs[name], place)
    elif _are_objects(ours) and _are_objects(theirs) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from _between(one, other, at)
    elif ours != theirs:
        yield at, json.dumps(ours), json.dumps(theirs)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
