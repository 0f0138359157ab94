"""``osken-manager [options] application...``: runs os-ken applications in one process. os-ken 4 has no such command.

Use is as it always was: options, then applications, each a module's dotted name or a file's path; without any, only
os-ken's OpenFlow handler runs. A package with a module ``app`` stands for that one: ``sdnapp`` means ``sdnapp.app``.

os-ken chooses its hub, and eventlet replaces the standard library's blocking parts, when they are first imported. So
this module imports nothing of either until ``main`` has prepared that.
"""

import contextlib
import errno
import functools
import importlib.metadata
import importlib.util
import io
import logging
import os
import re
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

LOG = logging.getLogger(__name__)

OPENFLOW_PORT = 6653
OPENFLOW_HANDLER = "os_ken.controller.ofp_handler"
CLOSING_TIME = 0.7
"""Seconds that applications have to close. A second after the signal the process is gone."""
BACKLOG = 1024
"""Connections that may wait to be accepted."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class CannotStart(Exception):
    """What keeps the process from starting, in one line that names the fix."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0 after SIGTERM or SIGINT, 2 if it could not start."""
    _prepare_eventlet()
    from oslo_config import cfg

    from sdnapp.config import OptionError
    from topology.storage import StorageError

    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except (CannotStart, OptionError, StorageError, cfg.Error) as error:
        return _refuse(str(error))
    except OSError as error:
        # Most often an address in use, or a log file out of reach.
        name = f"{error.filename}: " if error.filename else ""
        fix = ". Stop who does, or choose another port; osken-manager --help lists the options"
        return _refuse(f"{name}{error.strerror or error}{fix if error.errno == errno.EADDRINUSE else ''}")


def _refuse(reason: str) -> int:
    LOG.debug("cannot start", exc_info=True)
    print("osken-manager:", " ".join(reason.split()), file=sys.stderr)
    return 2


def _prepare_eventlet() -> None:
    os.environ["OSKEN_HUB_TYPE"] = "eventlet"
    # Eventlet advises new projects against itself. It was chosen knowingly: os-ken runs nearly twice as fast on it as
    # on native threads, and goes through os_ken.lib.hub, so that the choice can be changed. No start need repeat that.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet

    eventlet.monkey_patch()


def _run(arguments: Sequence[str]) -> int:
    from os_ken import log
    from os_ken.base.app_manager import AppManager

    from sdnapp.time_slices import ask_for_short_slices

    names = _parse(arguments)
    log.init_log()
    _format_log()
    _listen_alone()
    _open_more_files()
    ask_for_short_slices()
    manager = AppManager.get_instance()
    end = _End()
    try:
        _load(manager, names)
        if OPENFLOW_HANDLER in manager.applications_cls:
            _check_openflow_port()
        services = manager.instantiate_apps(**manager.create_contexts())
        LOG.info("running %s", ", ".join(names))
        LOG.info("stopping: %s", end.wait(services))
        return 0
    finally:
        _close(manager)


# Options


def _parse(arguments: Sequence[str]) -> list[str]:
    """Take in all options; return the names of the applications to run. Raises CannotStart and oslo.config's errors."""
    # Each module declares its options when it is imported.
    from os_ken import cfg, flags, log  # noqa: F401
    from os_ken.base import app_manager  # noqa: F401

    from sdnapp import config

    conf = cfg.CONF
    _import_user_flags(arguments)
    config.register(conf)
    conf.register_cli_opts(
        [
            cfg.ListOpt("app-lists", default=[], help="applications to run, beside those named at the end"),
            cfg.StrOpt("user-flags", metavar="FILE", help="Python file that declares options of your own applications"),
            cfg.MultiStrOpt("app", positional=True, default=[], metavar="application", help="applications to run"),
        ]
    )
    # os-ken would listen on the port that OpenFlow had before 2013 as well, unless a port is chosen.
    conf.set_default("ofp_tcp_listen_port", OPENFLOW_PORT)
    conf.set_default("ofp_ssl_listen_port", OPENFLOW_PORT)
    with _terse_usage():
        conf(
            config.dashed(arguments),
            prog="osken-manager",
            project="sdnapp",
            usage="osken-manager [options] application...",
            version=f"sdnapp {_version('sdnapp')}, os-ken {_version('os-ken')}",
            default_config_files=[],
            default_config_dirs=[],
        )
    given = [name for names in (*conf.app_lists, *conf.app) for name in names.split(",") if name]
    return [resolve(name) for name in given or [OPENFLOW_HANDLER]]


def _import_user_flags(arguments: Sequence[str]) -> None:
    """Run the file of ``--user-flags``: options for the command line must be declared before that is parsed."""
    from os_ken.utils import import_module

    name, found = "--user-flags", ""
    for position, argument in enumerate(arguments):
        if argument.startswith(f"{name}="):
            found = argument.partition("=")[2]
        elif argument == name:
            found = "".join(arguments[position + 1 : position + 2])
    if found:
        if not os.path.isfile(found):
            raise CannotStart(f"{name}: there is no file {found}")
        import_module(found)


@contextlib.contextmanager
def _terse_usage() -> Iterator[None]:
    """Say only what is wrong with an option, not how every option is used as well."""
    from sdnapp.config import GROUP, OPTIONS

    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            yield
        except SystemExit as end:
            if end.code:
                reason = said.getvalue().strip().rpartition("error: ")[2]
                # oslo.config leaves out the group, and so names no option that could be given.
                ours = "|".join(opt.dest for opt in OPTIONS)
                reason = re.sub(rf"^argument --({ours}):", rf"[{GROUP.name}] \1:", reason)
                raise CannotStart(f"{reason}; osken-manager --help lists the options") from None
            raise


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _format_log() -> None:
    """Give os-ken's log handlers, which print bare messages, time, level and origin."""
    from os_ken.cfg import CONF

    if CONF.log_config_file:
        return
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(LOG_FORMAT))


# Applications


def resolve(name: str) -> str:
    """Return the module that an application's name stands for. Raises CannotStart if there is none."""
    if name.endswith(".py"):
        if not os.path.isfile(name):
            raise CannotStart(f"there is no file {name}")
        return name
    for module in (f"{name}.app", name):
        try:
            if importlib.util.find_spec(module) is not None:
                return module
        except ModuleNotFoundError as error:
            # One of the packages on the way is not there, or is no package. Anything else that misses is its own fault.
            if not f"{module}.".startswith(f"{error.name}."):
                raise CannotStart(f"{name} cannot be imported: {error}") from error
        except (ImportError, ValueError) as error:
            raise CannotStart(f"{name} cannot be imported: {error}") from error
    raise CannotStart(f"there is no module {name}: name a module on Python's path, or a file, as ./my_app.py")


def _load(manager: Any, names: list[str]) -> None:
    try:
        manager.load_apps(names)
    except ImportError as error:
        raise CannotStart(f"{' or '.join(names)} cannot be imported: {error}") from error
    contexts = {context.__module__ for context in manager.contexts_cls.values()}
    for name in names:
        if name not in manager.applications_cls and name not in contexts:
            raise CannotStart(f"{name} is no os-ken application: it defines no subclass of OSKenApp")


# Ports


def _listen_alone() -> None:
    """Keep eventlet from sharing ports with other processes, as it does by default, and from short queues.

    A second controller would start without complaint, and silently get some of the connections. All switches of a site
    may come back at once; of those that find the queue full, each tries again in a second, then in three.
    """
    import eventlet
    from os_ken.lib import hub

    hub.listen = functools.partial(eventlet.listen, reuse_port=False, backlog=BACKLOG)


def _open_more_files() -> None:
    """Have as many connections as the system lets us: it grants 1,024 to those who do not ask, two a switch."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_openflow_port() -> None:
    """Raise CannotStart if OpenFlow cannot be listened to: os-ken would only log it, and go on deaf."""
    from os_ken.cfg import CONF

    host = CONF.ofp_listen_host
    port = CONF.ofp_ssl_listen_port if CONF.ctl_privkey and CONF.ctl_cert else CONF.ofp_tcp_listen_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise CannotStart(
                f"OpenFlow cannot listen on {host} port {port}: {error.strerror}. "
                "Stop who does, or choose another with --ofp-tcp-listen-port"
            ) from error


# The end


class _End:
    """Waits for the end: SIGTERM, SIGINT, or no application left running.

    The hub sleeps in the kernel most of the time, and nothing that a Python signal handler does would wake it. A byte
    in a socket does, and throws no exception into whatever runs just then. A second signal ends the process at once.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: signal.signal(number, signal.SIG_DFL))

    def wait(self, services: list[Any]) -> str:
        """Return why to end. ``services`` are the main threads that applications named; without any, they run on."""
        from os_ken.lib import hub

        if services:
            hub.spawn(self._watch, services)
        while True:
            number = self._receiver.recv(1)[0]
            if number == 0:
                return "every application has ended"
            if number in (signal.SIGTERM, signal.SIGINT):
                return signal.Signals(number).name

    def _watch(self, services: list[Any]) -> None:
        from os_ken.lib import hub

        hub.joinall(services)
        self._sender.send(b"\0")


def _close(manager: Any) -> None:
    """Let the applications close, for as long as there is time."""
    from os_ken.lib import hub

    with hub.Timeout(CLOSING_TIME, False):
        try:
            manager.close()
            return
        except Exception:
            LOG.exception("an application failed to close")
            return
    LOG.warning("not every application closed within %.1f s", CLOSING_TIME)
