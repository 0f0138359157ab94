"""JSON-RPC 1.0 as OVSDB speaks it (RFC 7047 section 4): JSON objects one after the other, with no delimiter. Pure.

Bytes in, messages out, and the reverse. Whatever is no such stream raises ProtocolError: the peer is not a switch, or
not a sane one, and the connection is best closed.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Bytes that one message may have. The first copy of a switch with 10000 ports takes about 5 MB."""

_BLANK = b" \t\r\n"
# A whole string, or one that the buffer's end cuts off (no closing quote), or a brace.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[{}]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)


class ProtocolError(ValueError):
    """What a peer sent is not what RFC 7047 allows."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants a reply, or a notification where ``id`` is None."""

    method: str
    params: list[Any]
    id: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the request with this ``id``; ``error`` is None where it went well."""

    id: Any
    result: Any = None
    error: Any = None


Message = Request | Reply
Read = Callable[[str], Any]
"""From JSON text to the value that it is. Raises ValueError or RecursionError."""


def at_once(text: str) -> Any:
    """Read JSON (RFC 8259) in one piece. Raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


class MessageStream:
    """Cuts a stream of bytes into messages, wherever the pieces were cut on their way."""

    def __init__(self, limit: int = MESSAGE_LIMIT, read: Read = at_once) -> None:
        """``read`` is what reads JSON: one may do so in pieces."""
        self._limit = limit
        self._read = read
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that these bytes complete, in order. Raises ProtocolError."""
        self._buffer += data
        messages = []
        while (end := self._end_of_object()) is not None:
            messages.append(parse(bytes(self._buffer[:end]), self._read))
            del self._buffer[:end]
            self._scanned = 0
        if len(self._buffer) > self._limit:
            raise ProtocolError(f"a message is longer than {self._limit} bytes")
        return messages

    def _end_of_object(self) -> int | None:
        """Return where the first object of the buffer ends; None, and remember the place, when it does not end yet."""
        buffer = self._buffer
        if self._depth == 0:
            del buffer[: len(buffer) - len(buffer.lstrip(_BLANK))]
            if buffer and buffer[0] != ord("{"):
                raise ProtocolError(f"not JSON-RPC: {bytes(buffer[:20])!r}")
        if self._in_string and not self._finish_string():
            return None
        for token in _TOKEN.finditer(buffer, self._scanned):
            self._scanned = token.end()
            kind = buffer[token.start()]
            if kind == ord("{"):
                self._depth += 1
            elif kind == ord("}"):
                self._depth -= 1
                if self._depth == 0:
                    return token.end()
            elif not token[1]:
                self._in_string = True
                return None
        self._scanned = len(buffer)
        return None

    def _finish_string(self) -> bool:
        # Where a backslash is the last byte so far, the match ends before it, and the next search starts with it.
        rest = _REST_OF_STRING.match(self._buffer, self._scanned)
        assert rest is not None, "the pattern matches nothing at all, too"
        self._scanned = rest.end()
        self._in_string = not rest[1]
        return not self._in_string


def parse(text: bytes, read: Read = at_once) -> Message:
    """Return the message that is written here. Raises ProtocolError."""
    try:
        document = read(text.decode())
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ProtocolError("a message is not an object")
    if "method" in document:
        method, params = document["method"], document.get("params")
        if not isinstance(method, str) or not isinstance(params, list):
            raise ProtocolError("a request needs a method (text) and params (array)")
        return Request(method, params, document.get("id"))
    if document.get("id") is not None and ("result" in document or "error" in document):
        return Reply(document["id"], document.get("result"), document.get("error"))
    raise ProtocolError("a message is neither a request nor a reply")


def write_request(method: str, params: Sequence[Any], request_id: Any) -> bytes:
    """Return the bytes of a request; of a notification where ``request_id`` is None."""
    return _write({"method": method, "params": list(params), "id": request_id})


def write_reply(request_id: Any, result: Any, error: Any = None) -> bytes:
    """Return the bytes of a reply."""
    return _write({"id": request_id, "result": result, "error": error})


def _write(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
