"""Who asks by ARP how many answer must not take another's answer for his own: claims of gateways rest on it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.root

ASKED, ASKED_MAC = "203.0.113.9", "02:00:00:00:00:09"


@pytest.fixture
def fabric() -> Iterator[Any]:
    from fabric import Fabric

    with Fabric(hypervisors=0) as fabric:
        yield fabric


def test_each_station_hears_its_own_answers_however_late_they_are(fabric: Any) -> None:
    from captures import Capture, send
    from frames import arp_reply
    from questions import BARE, Place, Questions

    one, other, asked = (
        fabric.add_server(name, f"203.0.113.{number}/24") for number, name in enumerate(("one", "other", "asked"), 1)
    )
    places = Place(one, "203.0.113.1"), Place(other, "203.0.113.2")
    with Capture(asked, "eth0") as capture, Questions(ASKED_MAC, ASKED, *places) as questions:

        def answer_all_so_far() -> None:
            for each in capture.read():
                if each.is_arp_request and each.payload[24:28] == socket.inet_aton(ASKED):
                    answer = arp_reply(ASKED_MAC, ASKED, each.source, socket.inet_ntoa(each.payload[14:18]))
                    send(asked, "eth0", answer + each.data[BARE:])

        answers = questions.ask(0.6, answer_all_so_far)
    assert answers.most == 1
    for counts in answers.by_station.values():
        answered = sum(counts)
        assert 2 <= answered < len(counts)
        assert counts == [1] * answered + [0] * (len(counts) - answered)
