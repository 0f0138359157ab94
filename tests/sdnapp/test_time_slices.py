"""What Linux says of a process that has asked for short slices."""

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, os, struct, sys, threading
from sdnapp.time_slices import ask_for_short_slices
os.nice(5)
exec(sys.argv[1])
asked = ask_for_short_slices()
told = ctypes.create_string_buffer(48)
def look():
    assert ctypes.CDLL(None).syscall(315, 0, told, 48, 0) == 0
thread = threading.Thread(target=look)
thread.start()
thread.join()
_, policy, _, nice, _, slice, _, _ = struct.unpack("=IIQiIQQQ", told.raw)
print(int(asked), policy, nice, slice)
"""
NICE = min(os.nice(0) + 5, 19)
"""The process of the script is so nice, whoever runs this test."""
since = tuple(map(int, platform.release().split(".")[:2]))
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or since < (6, 12), reason="needs Linux 6.12 or newer on x86-64"
)


def told(before: str) -> list[int]:
    command = [sys.executable, "-c", SCRIPT, before]
    return list(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))


def test_threads_to_come_have_them_too_and_nobody_becomes_more_important() -> None:
    assert told("") == [1, os.SCHED_OTHER, NICE, 100_000]


def test_who_has_another_policy_keeps_it() -> None:
    asked, policy, nice, length = told("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))")
    assert (asked, policy, nice) == (0, os.SCHED_BATCH, NICE) and length != 100_000
