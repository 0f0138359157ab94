"""The kernel namespaces of this thread: make new ones, visit others (unshare(2), setns(2)).

``os.setns`` and ``os.unshare`` came with Python 3.12; Debian 12 has 3.11.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

NET = "net"
PID_FOR_CHILDREN = "pid_for_children"
CLONE_NEWPID = 0x20000000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: int) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


@contextmanager
def new_pid_namespace() -> Iterator[None]:
    """The first process started inside this block is the init of a new PID namespace: when it ends, all in it end.

    Start just one; this thread's next children are in the old namespace again.
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        _call("unshare", CLONE_NEWPID)
        try:
            yield
        finally:
            _call("setns", own, CLONE_NEWPID)
    finally:
        os.close(own)


@contextmanager
def visiting(kind: str, pid: int) -> Iterator[None]:
    """Act in the namespace of a process: sockets opened (``NET``) or processes started (``PID_FOR_CHILDREN``) in this
    block belong there for good; this thread comes back at the end.
    """
    own = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY)
    try:
        there = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        try:
            _call("setns", there, 0)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _call("setns", own, 0)
    finally:
        os.close(own)
