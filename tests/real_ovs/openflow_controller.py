"""A controller in a process of its own, for tests: os-ken's event loop and our ``Switches``, nothing else.

The test calls methods of ``Switches`` by name and waits for callbacks; both travel as pickles over a socket pair.
Run as a module it is the child: ``python -m tests.real_ovs.openflow_controller FD PORT``.
"""

import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.real_ovs.ovs_dummy import DEADLINE

Event = tuple[Any, ...]
"""Name of the callback and its arguments, or ``("log", level, text)``, or ``("stall", seconds)``."""


class ControllerProcess:
    """The test's end. Events are gathered in ``events`` as they come."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = ("127.0.0.1", self.port)
        self.events: list[Event] = []
        self._news = threading.Condition()
        self._socket, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.real_ovs.openflow_controller",
            str(theirs.fileno()),
            str(self.port),
        ]
        environment = os.environ | {"OSKEN_HUB_TYPE": "eventlet"}
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        theirs.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait("listening")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        self._socket.close()

    def call(self, method: str, *arguments: Any) -> None:
        """Have a method of ``Switches`` called; what it returns comes as an event of the method's name."""
        _send(self._socket, (method, *arguments))

    def ask(self, method: str) -> Any:
        """Call a method and return what it returns."""
        before = len(self.events)
        self.call(method)
        return self.wait(method, after=before)[1]

    def wait(
        self,
        name: str,
        *arguments: Any,
        after: int = 0,
        seconds: float = DEADLINE,
        where: Callable[..., bool] | None = None,
    ) -> Event:
        """Wait for an event of this name whose first arguments are these, and return it.

        Events before position ``after`` do not count. Raises TimeoutError, which lists what came instead.
        """  # fmt: skip

        def found() -> Event | None:
            for event in self.events[after:]:
                if event[: 1 + len(arguments)] == (name, *arguments) and (where is None or where(*event[1:])):
                    return event
            return None

        with self._news:
            if (event := self._news.wait_for(found, seconds)) is None:
                raise TimeoutError(f"no {name}{arguments} within {seconds} s; came: {str(self.events[after:])[-3000:]}")
            return event

    def of(self, name: str) -> list[Event]:
        """Return all events of a name so far."""
        return [event for event in self.events if event[0] == name]

    def logged(self, level: str) -> list[str]:
        """Return the texts that were logged at a level so far."""
        return [event[2] for event in self.of("log") if event[1] == level]

    def _read(self) -> None:
        while (event := _receive(self._socket)) is not None:
            with self._news:
                self.events.append(event)
                self._news.notify_all()


def _send(sock: socket.socket, value: Any) -> None:
    data = pickle.dumps(value)
    sock.sendall(struct.pack("!I", len(data)) + data)


def _receive(sock: socket.socket) -> Any:
    try:
        head = _exactly(sock, 4)
        data = head and _exactly(sock, struct.unpack("!I", head)[0])
    except OSError:
        return None
    return pickle.loads(data) if data else None


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := sock.recv(min(count - len(data), 1 << 20))):
            return b""
        data += more
    return data


def serve(descriptor: int, port: int) -> None:
    """Be the child: run os-ken until the test's end closes the socket."""
    import logging

    from os_ken import cfg
    from os_ken.base.app_manager import AppManager, OSKenApp
    from os_ken.controller import ofp_event
    from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
    from os_ken.lib import hub

    from sdnapp.openflow.messages import PacketIn
    from sdnapp.openflow.switches import Switches, set_defaults

    parent = socket.socket(fileno=descriptor)
    outbox: Any = hub.Queue()

    def tell(*event: Any) -> None:
        outbox.put(event)

    class ToParent(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell("log", record.levelname, self.format(record))

    logging.basicConfig(level=logging.INFO, handlers=[ToParent()])

    def teller(name: str) -> Callable[..., None]:
        return lambda *arguments: tell(name, *arguments)

    def tell_packets(datapath_id: str, packets: list[PacketIn]) -> None:
        for packet in packets:
            tell("packet_in", datapath_id, packet.in_port, packet.cookie, packet.data)

    names = ("connected", "disconnected", "confirmed", "rejected", "reconciled", "ports")
    switches = Switches(**{f"on_{name}": teller(name) for name in names}, on_packets=tell_packets)

    class App(OSKenApp):  # type: ignore[misc]
        OFP_VERSIONS = [4]  # noqa: RUF012

        @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])  # type: ignore[untyped-decorator]
        def state_changed(self, event: Any) -> None:
            switches.state_changed(event.datapath, event.state)

        @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
        def packet_in(self, event: Any) -> None:
            tell("left_to_others", event.msg.data)

    def watch_stalls() -> None:
        """Tell of every moment in which the loop was held for longer than 50 ms."""
        while True:
            before = time.monotonic()
            hub.sleep(0.01)
            if (held := time.monotonic() - before - 0.01) > 0.05:
                tell("stall", held)

    def announce() -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                hub.sleep(0.02)
        tell("listening")

    def write() -> None:
        while True:
            _send(parent, outbox.get())

    set_defaults()
    cfg.CONF([], project="test")
    cfg.CONF.set_override("ofp_listen_host", "127.0.0.1")
    cfg.CONF.set_override("ofp_tcp_listen_port", port)
    manager = AppManager.get_instance()
    manager.load_apps(["os_ken.controller.ofp_handler"])
    manager.applications_cls["App"] = App
    manager.instantiate_apps()
    for task in (announce, write, watch_stalls):
        hub.spawn(task)
    while (request := _receive(parent)) is not None:
        method, *arguments = request
        if (result := getattr(switches, method)(*arguments)) is not None:
            tell(method, result)
    os._exit(0)


if __name__ == "__main__":
    import eventlet

    eventlet.monkey_patch()
    serve(int(sys.argv[1]), int(sys.argv[2]))
