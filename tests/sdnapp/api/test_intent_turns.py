"""Whatever is much in a document is done in slices, between which others have their turn."""

import gc
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sdnapp import turns
from sdnapp.api.intent import application, handlers
from sdnapp.api.intent import export as export_module
from sdnapp.api.intent.document import Document, Item
from sdnapp.api.intent.matching import Matching
from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import RED, Api
from tests.sdnapp.api.test_intent import apply, changes, export, network, refusal
from topology.values import Port


def test_others_have_their_turn_while_a_document_is_applied_and_see_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, seen = Api(Settings(quotas={})), []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", lambda seconds: seen.append(len(api.store.all(Port))))
    ports = [{"name": f"vm{number}"} for number in range(50)]
    lab = network(subnets=[{"cidr": "10.0.0.0/26"}], ports=ports)
    assert len(changes(api, lab)) == 52
    # When each port is read, linked, matched, put in order and written, and what that took is forgotten.
    assert len(seen) > 20 * 50 and set(seen) <= {0, 50} and seen == sorted(seen)
    seen.clear()
    assert len(export(api)["networks"][0]["ports"]) == len(ports) < len(seen)
    seen.clear()
    refusal(api, network(subnets=[{"cidr": "10.0.0.0/26"}], ports=[*ports, *ports]))
    assert changes(api, network(ports=[]), query="?dry_run=true")
    assert len(seen) > 30 * 50 and set(seen) == {50}


def test_what_was_exported_is_forgotten_object_by_object(monkeypatch: pytest.MonkeyPatch) -> None:
    api, forgetting = Api(Settings(quotas={})), []
    ports = [{"name": f"vm{number}"} for number in range(50)]
    assert apply(api, network(subnets=[{"cidr": "10.0.0.0/26"}], ports=ports)).status == 200
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", lambda seconds: forgetting.append(_is_within(handlers._forget)))
    assert len(export(api)["networks"][0]["ports"]) == 50
    assert forgetting.count(True) >= 50


def test_what_is_under_an_object_is_put_in_order_without_writing_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    api, written = Api(Settings(quotas={})), []
    text = export_module._text

    def watched(values: Any) -> str:
        written.append(text(values))
        return written[-1]

    monkeypatch.setattr(export_module, "_text", watched)
    assert apply(api, network(subnets=[{"cidr": "10.0.0.0/26"}], ports=[{"name": f"vm{n}"} for n in range(50)])).status
    assert len(export(api)["networks"][0]["ports"]) == 50
    assert len(written) > 50 and max(map(len, written)) < 300


def test_objects_of_one_name_are_in_an_order_that_follows_from_what_is_under_them() -> None:
    cidrs = ["10.0.0.0/26", "10.0.1.0/26", "10.0.2.0/26"]
    found = []
    for order in (cidrs, cidrs[::-1], cidrs[1:] + cidrs[:1]):
        api = Api()
        for cidr in order:
            api.subnet(api.network(RED, name="lab"), cidr, RED)
        found.append(export(api)["networks"])
    assert found[0] == found[1] == found[2] and len(found[0]) == 3


def test_matching_a_document_with_what_is_there_gives_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    api, matching = Api(Settings(quotas={})), []
    assert apply(api, network(subnets=[{"cidr": "10.0.0.0/26"}])).status == 200
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr(turns.hub, "sleep", lambda seconds: matching.append(_is_within(Matching.match)))
    ports = [{"name": f"vm{number}"} for number in range(50)]
    lab = network(subnets=[{"cidr": "10.0.0.0/26"}], ports=ports)
    for _ in "new", "there":
        matching.clear()
        assert apply(api, lab).status == 200
        assert matching.count(True) > 3 * 50


def test_what_has_been_applied_leaves_memory_object_by_object_and_without_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, forgetting, items = Api(Settings(quotas={})), [], []
    monkeypatch.setattr(turns, "SLICE", 0)
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    monkeypatch.setattr(turns.hub, "sleep", lambda seconds: forgetting.append(_is_within(Document.let_go)))
    link = application.link

    def noting(ctx: Any, resources: Any, linked: list[Item], *others: Any) -> Any:
        items.extend(map(weakref.ref, linked))
        return link(ctx, resources, linked, *others)

    monkeypatch.setattr(application, "link", noting)
    ports = [{"name": f"vm{number}"} for number in range(50)]
    gc.disable()
    try:
        assert apply(api, network(subnets=[{"cidr": "10.0.0.0/26"}], ports=ports)).status == 200
        assert len(items) == 52 and [each() for each in items] == [None] * 52
    finally:
        gc.enable()
    assert forgetting.count(True) >= 2 * 52


def _is_within(function: Callable[..., Any]) -> bool:
    """Whether whoever asks was called from a function, however far above."""
    return any(frame.f_code is function.__code__ for frame, _ in traceback.walk_stack(None))


def test_who_writes_waits_until_a_project_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(Settings(quotas={}))
    assert (
        apply(api, network(subnets=[{"cidr": "10.0.0.0/26"}], ports=[{"name": "vm1"}, {"name": "vm2"}])).status == 200
    )

    def write() -> None:
        with api.store.transaction() as tx:
            for port in tx.find(Port, "every", True):
                tx.put(replace(port, name="later"))

    with ThreadPoolExecutor(1) as threads:
        writing: list[Future[None]] = []

        def meanwhile(seconds: float) -> None:
            if not _is_within(export_module.export):
                return
            if not writing:
                writing.append(threads.submit(write))
                with suppress(TimeoutError):
                    writing[0].result(0.1)
            assert not writing[0].done() and {port.name for port in api.store.all(Port)} == {"vm1", "vm2"}

        monkeypatch.setattr(turns, "SLICE", 0)
        monkeypatch.setattr(turns.hub, "sleep", meanwhile)
        assert [each["name"] for each in export(api)["networks"][0]["ports"]] == ["vm1", "vm2"]
        writing[0].result(10)
    assert {port.name for port in api.store.all(Port)} == {"later"}
