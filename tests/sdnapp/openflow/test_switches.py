"""Defaults that the application sets for os-ken, and its log line about old switches."""

import logging

import pytest
from os_ken import cfg

from sdnapp.openflow.switches import REMIND_SECONDS, VersionAdvice, set_defaults


def test_dead_switches_are_noticed_by_default() -> None:
    set_defaults()
    cfg.CONF([], project="test")
    assert cfg.CONF.maximum_unreplied_echo_requests > 0
    assert cfg.CONF.echo_request_interval * (cfg.CONF.maximum_unreplied_echo_requests + 1) <= 30
    assert cfg.CONF.ofp_tcp_listen_port == 6653


def complaint(port: int, host: str = "192.0.2.1", after: float = 0.0) -> logging.LogRecord:
    arguments = ("unsupported version 0x1. If possible, ...", (host, port))
    record = logging.LogRecord("OFPHandler", logging.ERROR, "", 1, "%s on datapath %s", arguments, None)
    record.created = 1_000_000.0 + after
    return record


def test_an_old_switch_is_told_what_to_do_once_a_minute() -> None:
    advice = VersionAdvice()
    first = complaint(40000)
    assert advice.filter(first)
    assert "192.0.2.1:40000" in first.getMessage()
    assert "ovs-vsctl set bridge BRIDGE protocols=OpenFlow13" in first.getMessage()
    assert not advice.filter(complaint(40001, after=REMIND_SECONDS - 1))
    assert advice.filter(complaint(40002, host="192.0.2.2", after=1))
    assert advice.filter(complaint(40003, after=REMIND_SECONDS + 1))


@pytest.mark.parametrize("message", ["hello", "%s on datapath %s"])
def test_other_records_are_left_alone(message: str) -> None:
    record = logging.LogRecord("OFPHandler", logging.ERROR, "", 1, message, ("a", "b") if "%" in message else (), None)
    before = record.getMessage()
    assert VersionAdvice().filter(record)
    assert record.getMessage() == before
