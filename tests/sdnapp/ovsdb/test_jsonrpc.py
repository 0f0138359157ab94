"""The stream of JSON-RPC messages: any cut of it gives the same messages, and any junk one kind of error."""

import json
import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp.ovsdb.jsonrpc import MessageStream, ProtocolError, Reply, Request, parse, write_reply, write_request

TEXT = st.text() | st.sampled_from(['{"', '"}', "\\", '\\"', "}{", "]", "\u2028", '"'])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.builds(Request, TEXT, st.lists(VALUES, max_size=4), st.none() | st.integers() | TEXT)
REPLIES = st.builds(Reply, st.integers() | st.text(min_size=1), VALUES, VALUES)


def written(message: Request | Reply, ascii_only: bool = True) -> bytes:
    if isinstance(message, Request):
        text = write_request(message.method, message.params, message.id)
    else:
        text = write_reply(message.id, message.result, message.error)
    # ovsdb-server writes UTF-8 as it is.
    return text if ascii_only else json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "surrogatepass")


@given(
    st.lists(REQUESTS | REPLIES, max_size=5), st.randoms(use_true_random=False), st.sampled_from([b"", b" ", b"\n\r\t"])
)
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[Request | Reply], chance: random.Random, blank: bytes
) -> None:
    stream = MessageStream()
    data = blank.join(written(message) for message in messages) + blank
    received = []
    while data:
        size = chance.choice((1, 2, 3, 7, 64, len(data)))
        received += stream.feed(data[:size])
        data = data[size:]
    assert received == messages


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf8_needs_no_escapes(text: str) -> None:
    message = Request("echo", [text], 1)
    assert MessageStream().feed(written(message, ascii_only=False)) == [message]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_junk_is_a_protocol_error_or_waits_for_more(pieces: list[bytes]) -> None:
    stream = MessageStream()
    for piece in pieces:
        try:
            stream.feed(piece)
        except ProtocolError:
            return


@given(REQUESTS | REPLIES, st.data())
def test_a_damaged_message_raises_nothing_but_a_protocol_error(message: Request | Reply, data: st.DataObject) -> None:
    damaged = bytearray(written(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        MessageStream().feed(bytes(damaged))


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x04\x00\x00\x08\x00\x00\x00\x01",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"id": 1}',
        b'{"id": null, "result": 1}',
        b'{"method": 5, "params": [], "id": 1}',
        b'{"method": "echo", "params": {}, "id": 1}',
        b'{"method": "echo", "params": [NaN], "id": 1}',
        b'{"method": "echo", "params": [}',
        b'{"method": "echo\xff", "params": []}',
        b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"method": "echo", "params": [' + b"9" * 10_000 + b'], "id": 1}',
    ],
)
def test_what_is_no_json_rpc_is_a_protocol_error(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        MessageStream().feed(junk)


def test_junk_after_a_message_is_a_protocol_error_too() -> None:
    stream = MessageStream()
    assert stream.feed(b'{"method":"echo","params":[],"id":1}') == [Request("echo", [], 1)]
    with pytest.raises(ProtocolError):
        stream.feed(b"x")


@pytest.mark.parametrize("endless", [b'{"a":"', b'{"a":[', b'{"a":"\\', b'{"a":{'])
def test_a_message_without_end_is_cut_off_at_the_limit(endless: bytes) -> None:
    stream = MessageStream(limit=1000)
    stream.feed(endless)
    stream.feed(b"x" * (1000 - len(endless)))
    with pytest.raises(ProtocolError, match="longer than 1000 bytes"):
        stream.feed(b"x")


def test_the_limit_is_for_one_message_not_for_the_stream() -> None:
    stream = MessageStream(limit=100)
    message = write_request("echo", ["x" * 20], 1)
    assert len(stream.feed(message * 50)) == 50


def test_a_long_message_in_small_pieces_is_not_scanned_again_and_again() -> None:
    stream = MessageStream()
    scanned = 0
    for piece in (b'{"method":"echo","params":["', *[b"x" * 1000] * 2000):
        stream.feed(piece)
        assert stream._scanned >= scanned
        scanned = stream._scanned
    assert scanned > 2_000_000
    [message] = stream.feed(b'"],"id":1}')
    assert isinstance(message, Request) and len(message.params[0]) == 2_000_000


def test_error_replies_are_replies() -> None:
    assert parse(b'{"error":"unknown method","id":7,"result":null}') == Reply(7, None, "unknown method")
