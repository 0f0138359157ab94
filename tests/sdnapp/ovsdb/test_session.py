"""The protocol's state, in bytes and times: what is asked for, what is answered, when a peer is dead."""

import json
from typing import Any

import pytest

from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.jsonrpc import MessageStream, ProtocolError, Reply, Request, write_reply, write_request
from sdnapp.ovsdb.observation import Observer
from sdnapp.ovsdb.pace import AFTER_FAILURE, AFTER_SUCCESS, UNDONE, WINDOW, Pace
from sdnapp.ovsdb.rows import Bridge, Uuid
from sdnapp.ovsdb.session import PeerLost, Session, Timing

TIMING = Timing(echo=5, dead=15, handshake=30)
COPY = {"Bridge": {"b": {"initial": {"name": "br-int"}}}}


def sent(session: Session) -> list[Any]:
    messages = MessageStream().feed(bytes(session.output))
    session.output.clear()
    return messages


def synced() -> Session:
    session = Session(0.0, TIMING)
    [request] = sent(session)
    assert session.receive(write_reply(request.id, COPY), 0.0)
    return session


def names(session: Session) -> set[str]:
    return {bridge.name for bridge in session.replica.rows(Bridge).values()}


def test_it_asks_for_a_conditional_monitor_and_takes_the_copy() -> None:
    session = Session(0.0, TIMING)
    [request] = sent(session)
    assert request.method == "monitor_cond" and request.params[0] == "Open_vSwitch"
    assert not session.synced
    assert session.receive(write_reply(request.id, COPY), 1.0)
    assert session.synced and names(session) == {"br-int"}


def test_it_follows_differences() -> None:
    session = synced()
    update = write_request("update2", ["sdnapp", {"Bridge": {"b": {"modify": {"fail_mode": "secure"}}}}], None)
    assert session.receive(update, 1.0)
    bridge = session.replica.get(Bridge, Uuid("b"))
    assert bridge is not None and (bridge.name, bridge.fail_mode) == ("br-int", "secure")


def test_a_switch_without_limits_of_connections_is_asked_for_the_rest() -> None:
    session = Session(0.0, TIMING)
    [request] = sent(session)
    assert request.params[2]["Datapath"] == [{"columns": ["ct_zone_default_limit"]}]
    assert session.replica.limits_connections
    session.receive(write_reply(request.id, None, {"error": "unknown column"}), 0.0)
    [request] = sent(session)
    assert request.method == "monitor_cond" and "Datapath" not in request.params[2]
    assert "datapaths" not in request.params[2]["Open_vSwitch"][0]["columns"]
    session.receive(write_reply(request.id, COPY), 0.0)
    assert session.synced and not session.replica.limits_connections


def test_an_old_switch_gets_the_plain_monitor() -> None:
    session = Session(0.0, TIMING)
    for _ in range(2):
        [request] = sent(session)
        session.receive(write_reply(request.id, None, {"error": "unknown method"}), 0.0)
    [request] = sent(session)
    assert request.method == "monitor" and not session.synced
    session.receive(write_reply(request.id, {"Bridge": {"b": {"new": {"name": "br-int"}}}}), 0.0)
    assert session.synced and names(session) == {"br-int"}
    session.receive(write_request("update", ["sdnapp", {"Bridge": {"b": {"old": {"name": "br-int"}}}}], None), 0.0)
    assert names(session) == set()


def test_an_update_before_the_copy_is_none_of_ours() -> None:
    session = Session(0.0, TIMING)
    assert not session.receive(write_request("update2", ["sdnapp", {"Bridge": {"b": {"delete": None}}}], None), 0.0)
    assert not session.receive(write_request("update2", ["sdnapp", "junk"], None), 0.0)
    assert not synced().receive(write_request("update2", ["another monitor", {}], None), 1.0)


def test_a_database_of_another_kind_is_refused() -> None:
    session = Session(0.0, TIMING)
    for _ in range(3):
        [request] = sent(session)
        answer = write_reply(request.id, None, {"error": "unknown database", "details": "Open_vSwitch"})
        if request.method == "monitor":
            with pytest.raises(ProtocolError, match="unknown database"):
                session.receive(answer, 0.0)
        else:
            session.receive(answer, 0.0)


def test_it_answers_echo_requests_and_refuses_others() -> None:
    session = synced()
    session.receive(write_request("echo", ["a", 1], "x") + write_request("steal", [], 9), 1.0)
    assert sent(session) == [
        Reply("x", ["a", 1]),
        Reply(9, None, {"error": "unknown method", "details": "steal"}),
    ]
    assert not session.receive(write_request("echo", [], None) + write_request("locked", ["l"], None), 1.0)
    assert sent(session) == []


def test_it_probes_a_silent_peer_once_and_gives_it_up_in_the_end() -> None:
    session = synced()
    session.tick(4.9)
    assert sent(session) == []
    session.tick(5.1)
    session.tick(6.0)
    [probe] = sent(session)
    assert probe.method == "echo" and probe.id is not None
    session.receive(write_reply(probe.id, []), 10.0)
    session.tick(24.9)
    assert [request.method for request in sent(session)] == ["echo"]
    with pytest.raises(PeerLost, match="silent for 15 s"):
        session.tick(25.1)


def test_a_peer_that_only_talks_is_given_up_when_no_copy_comes() -> None:
    session = Session(0.0, TIMING)
    for now in range(0, 31):
        session.receive(write_request("echo", [], now), float(now))
        session.tick(float(now))
    with pytest.raises(PeerLost, match="no copy of its database within 30 s"):
        session.tick(30.1)


def test_transactions_get_their_own_replies_in_any_order() -> None:
    session = synced()
    replies: dict[str, Any] = {}
    session.transact([ops.comment("one")], lambda reply: replies.update(one=reply.result))
    session.transact([ops.comment("two")], lambda reply: replies.update(two=reply.result))
    one, two = sent(session)
    assert one.params == ["Open_vSwitch", {"op": "comment", "comment": "one"}]
    session.receive(write_reply(two.id, [{}]) + write_reply(one.id, [{"count": 1}]), 1.0)
    assert replies == {"one": [{"count": 1}], "two": [{}]}
    replies.clear()
    assert not session.receive(write_reply(one.id, []) + write_reply([], []) + write_reply("probe", []), 1.0)
    assert replies == {}


@pytest.mark.parametrize(
    "update",
    [
        ["sdnapp"],
        ["sdnapp", None],
        ["sdnapp", {"Secrets": {}}],
        ["sdnapp", {"Bridge": {"x": {"modify": {"name": "a"}}}}],
    ],
)
def test_a_bad_update_is_a_protocol_error(update: list[Any]) -> None:
    with pytest.raises(ProtocolError):
        synced().receive(write_request("update2", update, None), 1.0)


@pytest.mark.parametrize(
    ("result", "error", "reason"),
    [
        ([{}, {"count": 1}], None, None),
        ([{}, {"error": "timed out", "details": "wait"}, None], None, "timed out: wait"),
        ([{}, None, {"error": "constraint violation"}], None, "constraint violation"),
        (None, {"error": "unknown database"}, "unknown database"),
        (None, "canceled", "canceled"),
        (None, None, "the reply holds no results"),
    ],
)
def test_why_a_transaction_failed(result: Any, error: Any, reason: str | None) -> None:
    assert ops.failure(result, error) == reason


def test_setting_keys_of_a_map_replaces_what_is_there() -> None:
    assert json.dumps(ops.set_keys("options", {"key": "flow"})) == json.dumps(
        [["options", "delete", ["set", ["key"]]], ["options", "insert", ["map", [["key", "flow"]]]]]
    )
    assert Request("echo", []) != Reply("echo")


# Pace


def test_a_step_that_fails_waits_longer_than_one_that_works() -> None:
    pace = Pace()
    assert pace.due("a", 0.0)
    pace.tried("a", 0.0)
    pace.succeeded("a")
    assert not pace.due("a", AFTER_SUCCESS - 0.1) and pace.due("a", AFTER_SUCCESS) and pace.due("b", 0.0)
    pace.tried("a", 1.0)
    pace.failed("a", "no permission", 1.0)
    assert not pace.due("a", AFTER_FAILURE) and pace.due("a", AFTER_FAILURE + 1)
    assert pace.problems(2.0) == ["a: refused, and tried again every 10 s: no permission"]


def test_a_failure_is_forgotten_when_the_step_is_not_needed_any_more() -> None:
    pace = Pace()
    pace.tried("a", 0.0)
    pace.failed("a", "no permission", 0.0)
    pace.forget(["a"], 1.0)
    assert pace.problems(1.0)
    pace.forget([], 1.0)
    assert pace.problems(1.0) == []
    assert not pace.due("a", 1.0), "who flaps is still held back"
    pace.forget([], WINDOW + 1)
    assert pace.due("a", 1.0)


def test_a_step_that_is_undone_again_and_again_is_told_while_it_lasts() -> None:
    pace = Pace()
    for second in range(UNDONE):
        assert pace.problems(float(second)) == []
        pace.tried("a", float(second))
        pace.succeeded("a")
    [problem] = pace.problems(float(UNDONE))
    assert problem.startswith("a: 4 times in a minute, as something undoes it")
    assert pace.problems(WINDOW + 1) == []


def test_others_have_their_turn_while_a_large_copy_is_read_taken_in_and_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    turns: list[str] = []

    def read(text: str) -> Any:
        turns.append("read, as one may do in pieces")
        return json.loads(text)

    def give_way() -> None:
        turns.append("taken in")

    interfaces = {f"i{number}": {"initial": {"name": f"tap{number}"}} for number in range(300)}
    port = {"initial": {"name": "all", "interfaces": ["set", [["uuid", key] for key in interfaces]]}}
    bridge = {"initial": {"name": "br-int", "ports": ["uuid", "p"]}}
    copy = {"Open_vSwitch": {"o": {"initial": {}}}, "Bridge": {"b": bridge}, "Port": {"p": port}}
    session = Session(0.0, TIMING, give_way, read)
    [request] = sent(session)
    assert session.receive(write_reply(request.id, copy | {"Interface": interfaces}), 1.0)
    assert turns[0] == "read, as one may do in pieces" and turns.count("taken in") >= 300
    turns.clear()
    Observer(session.replica, give_way).observe(session.replica.take_changes())
    assert len(turns) >= 300
