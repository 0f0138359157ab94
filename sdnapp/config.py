"""The options of ``[sdnapp]``: declared once with oslo.config, checked together, and handed out as one value.

Each comes from the command line (``--sdnapp-<option>``), the environment (``OS_SDNAPP__<OPTION>``) or the configuration
file. ``python -m sdnapp.config`` prints docs/options.md, which is made from these declarations.
"""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from oslo_config import cfg, iniparser, types

from sdnapp.ovsdb.settings import CONNECTIONS_PER_PORT
from sdnapp.tls import Credentials
from topology.port_blocks import PORTS, SIZES

GROUP = cfg.OptGroup("sdnapp", "The sdnapp application")
ENVIRONMENT_PREFIX = "OS_SDNAPP__"
VNI_MAX = (1 << 24) - 1
VLAN_MAX = 4094
LEASE_MAX = (1 << 32) - 2
"""RFC 2131, section 3.3: 0xffffffff would mean for ever, and then nothing could be changed any more."""
_TLS_FILES = ("tls_cert", "tls_key", "tls_ca")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")

OPTIONS: tuple[cfg.Opt, ...] = (
    cfg.HostAddressOpt(
        "api-listen-host",
        default="127.0.0.1",
        help="Address on which REST, health, metrics and the web page are served. 0.0.0.0 is every address.",
    ),
    cfg.PortOpt("api-listen-port", default=9696, help="TCP port of the same. 0 takes any free one."),
    cfg.IntOpt(
        "api-rate-limit",
        default=100,
        min=0,
        help="Requests a second that each project may make in the long run, with those of ten seconds at once; the "
        "rest is answered with 429 and the seconds to wait. Administrators are not limited. 0 is no limit.",
    ),
    cfg.IntOpt(
        "api-failed-tokens",
        default=5,
        min=0,
        help="Tokens a second that Keystone does not know, which it is asked about for each host (one /64, of IPv6) in "
        "the long run, with those of ten seconds at once; the rest is answered with 429 and the seconds to wait. Those "
        "that it knew before are not counted. Raise it where clients come by a proxy. 0 is no limit.",
    ),
    cfg.IntOpt(
        "api-connections",
        default=1000,
        min=1,
        help="Connections that clients of the API may hold at one time. A new client is always served: for him the one "
        "that has lain idle, or let us wait for the rest of a request or for taking its answer, for the longest time "
        "is closed, of the host that has most.",
    ),
    cfg.IntOpt(
        "api-connections-of-one",
        default=200,
        min=1,
        help="Connections of one host among them (one /64, of IPv6), likewise. Raise it where clients come by a proxy.",
    ),
    cfg.IntOpt(
        "api-client-timeout",
        default=60,
        min=1,
        help="Seconds that a client may take for the head of a request, for its body, and for taking the answer, each "
        "in all. Connections without a request are closed after 60 seconds.",
    ),
    cfg.HostAddressOpt(
        "ovsdb-listen-host",
        default="0.0.0.0",
        help="Address on which switches' databases may connect (OVSDB, RFC 7047). 0.0.0.0 is every address.",
    ),
    cfg.PortOpt("ovsdb-listen-port", default=6640, help="TCP port of the same. 0 takes any free one."),
    cfg.HostAddressOpt(
        "controller-address",
        help="Address at which chassis are told to reach this controller over OpenFlow. "
        "By default the one at which their OVSDB connection arrived; set it where addresses are translated in between.",
    ),
    cfg.StrOpt(
        "state-dir",
        sample_default="/var/lib/sdnapp for root, ~/.local/state/sdnapp for others",
        help="Directory for what must survive a restart. It is made if it is missing.",
    ),
    cfg.StrOpt(
        "store-url",
        sample_default="sqlite://STATE_DIR/store.sqlite",
        help="Where networks, ports and chassis are kept: sqlite:///PATH, with an absolute path.",
    ),
    cfg.StrOpt(
        "auth-strategy",
        default="noauth",
        choices=["noauth", "keystone"],
        help="Who may use the API. noauth believes the headers X-Project-Id, X-User-Id and X-Roles, and takes a "
        "request without them for the administrator's. keystone wants a token of OpenStack's identity service "
        "with each request; the section [keystone_authtoken] of the file says where that is, as in all of OpenStack.",
    ),
    cfg.BoolOpt(
        "allow-remote-noauth",
        default=False,
        help="Serve noauth on an address that others can reach, where whoever reaches it is the administrator.",
    ),
    cfg.StrOpt(
        "tls-cert",
        help="Certificate of this controller, a file in PEM. With it, the API is https, and switches must come by TLS "
        "(ssl: targets), each with a certificate whose common name is its chassis's id. `sdnapp ca` makes them.",
    ),
    cfg.StrOpt("tls-key", help="The key of the same."),
    cfg.StrOpt("tls-ca", help="Certificates of the authorities that switches' certificates must come from."),
    cfg.BoolOpt(
        "api-client-certificates",
        default=False,
        help="Serve the API only to clients that have a certificate from the same authorities, too.",
    ),
    cfg.IntOpt(
        "underlay-mtu",
        default=1500,
        min=640,
        max=65535,
        help="Largest IP packet that the core carries between chassis, in bytes. "
        "What the encapsulation takes of it is subtracted from the MTU of overlay networks.",
    ),
    cfg.IntOpt(
        "chassis-limit",
        default=2000,
        min=0,
        help="Chassis that there may be. One more is not served, until others are deleted (openstack network agent "
        "delete); those that are known always are. It bounds what strangers can do who reach the listeners of switches "
        "where there is no TLS. 0 is no limit.",
    ),
    cfg.IntOpt(
        "connections-per-port",
        default=CONNECTIONS_PER_PORT,
        min=0,
        max=(1 << 32) - 1,
        help="Connections that a chassis remembers for each port at one time, so that no instance fills the table that "
        "all ports of its chassis share (docs/security.md). 0 leaves that to whoever sets up the chassis. Open vSwitch "
        "before 3.3 (3.5 in user space) cannot be told from here: run `sdnapp chassis limit-connections` there.",
    ),
    cfg.IntOpt(
        "snat-block-size",
        default=PORTS,
        min=min(SIZES),
        max=max(SIZES),
        help="Source ports that a chassis gets first on a router's external address, to translate what leaves by the "
        "router: a power of two. An address has 64,512, so large blocks are for few chassis and small ones for many. "
        "Where there is no room for a whole one, the chassis gets the largest that is free, and blocks grow as they "
        "are needed (docs/external-networks.md). Those that chassis have already stay as they are.",
    ),
    cfg.StrOpt(
        "tenant-network-type",
        default="geneve",
        choices=["geneve", "vxlan"],
        help="Encapsulation of the networks that tenants create.",
    ),
    cfg.StrOpt(
        "external-network-type",
        default="",
        choices=["", "vlan"],
        help="Type of external networks that are created without one: with vlan, their VLAN ids come from vlan_ranges. "
        "Empty: as of tenants' networks, which lead nowhere, so that a type has to be named.",
    ),
    cfg.StrOpt(
        "vni-range",
        default=f"1:{VNI_MAX}",
        help="Network identifiers (VNI, 24 bits) that tenants' overlay networks take, as FIRST:LAST, both inclusive.",
    ),
    cfg.ListOpt(
        "vlan-ranges",
        default=[],
        help="VLAN ids to give to VLAN networks that name none, comma separated, each as PHYSICAL_NETWORK:FIRST:LAST, "
        "both inclusive.",
    ),
    cfg.IntOpt(
        "quota-network",
        default=100,
        min=-1,
        help="Networks that a project may have unless `openstack quota set` says otherwise. -1 is no limit.",
    ),
    cfg.IntOpt("quota-subnet", default=100, min=-1, help="Subnets that a project may have, likewise."),
    cfg.IntOpt("quota-port", default=500, min=-1, help="Ports that a project may have, likewise."),
    cfg.IntOpt("quota-router", default=10, min=-1, help="Routers that a project may have, likewise."),
    cfg.IntOpt("quota-floatingip", default=50, min=-1, help="Floating IPs that a project may have, likewise."),
    cfg.IntOpt(
        "quota-security-group",
        default=10,
        min=-1,
        help="Security groups that a project may have, likewise; its default group is one.",
    ),
    cfg.IntOpt(
        "quota-security-group-rule",
        default=100,
        min=-1,
        help="Rules of security groups that a project may have, likewise; a new group has two, the default group four.",
    ),
    cfg.IntOpt(
        "quota-rbac-policy",
        default=10,
        min=-1,
        help="RBAC policies that a project may have, likewise; each network that it shares with all has one.",
    ),
    cfg.IntOpt(
        "dhcp-lease-seconds",
        default=86400,
        min=60,
        max=LEASE_MAX,
        help="Duration of DHCP leases, in seconds. Instances renew after half of it.",
    ),
    cfg.ListOpt(
        "dhcp-dns-servers",
        item_type=types.IPAddress(version=4),
        default=[],
        help="IPv4 addresses of the DNS servers, comma separated, that DHCP gives where the subnet names none.",
    ),
    cfg.StrOpt("dhcp-domain", default="", help="DNS domain that DHCP gives where the network names none."),
)


class OptionError(Exception):
    """An option cannot be used; the text names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """The checked values, as ``OPTIONS`` describes them."""

    api_listen_host: str
    api_listen_port: int
    api_rate_limit: int
    api_failed_tokens: int
    api_connections: int
    api_connections_of_one: int
    api_client_timeout: int
    ovsdb_listen_host: str
    ovsdb_listen_port: int
    controller_address: str | None
    state_dir: Path
    store_url: str
    auth_strategy: str
    allow_remote_noauth: bool
    tls_cert: Path | None
    tls_key: Path | None
    tls_ca: Path | None
    api_client_certificates: bool
    underlay_mtu: int
    chassis_limit: int
    connections_per_port: int
    snat_block_size: int
    tenant_network_type: str
    external_network_type: str
    vni_range: tuple[int, int]
    vlan_ranges: dict[str, list[tuple[int, int]]]
    quota_network: int
    quota_subnet: int
    quota_port: int
    quota_router: int
    quota_floatingip: int
    quota_security_group: int
    quota_security_group_rule: int
    quota_rbac_policy: int
    dhcp_lease_seconds: int
    dhcp_dns_servers: tuple[str, ...]
    dhcp_domain: str

    @property
    def credentials(self) -> Credentials | None:
        """What TLS is spoken with, if it is."""
        if self.tls_cert is None or self.tls_key is None or self.tls_ca is None:
            return None
        return Credentials(self.tls_cert, self.tls_key, self.tls_ca)


def register(conf: cfg.ConfigOpts) -> None:
    """Declare the options, also for the command line; to be called before that is parsed."""
    conf.register_group(GROUP)
    conf.register_cli_opts(OPTIONS, group=GROUP)


def dashed(arguments: Iterable[str]) -> list[str]:
    """Let ``--sdnapp-api_listen_port`` stand for ``--sdnapp-api-listen-port``: both ways to write it are accepted."""
    return [_dashed(argument) if argument.startswith("--sdnapp-") else argument for argument in arguments]


def _dashed(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def load_options(conf: cfg.ConfigOpts) -> Options:
    """Return the checked options, and make the state directory. Raises OptionError."""
    _refuse_unknown(conf)
    values: dict[str, Any] = {opt.dest: _value(conf, opt) for opt in OPTIONS}
    values["state_dir"] = state_dir = Path(values["state_dir"] or default_state_dir()).expanduser().absolute()
    values["store_url"] = values["store_url"] or f"sqlite://{state_dir}/store.sqlite"
    values["vni_range"] = _vni_range(values["vni_range"])
    values["vlan_ranges"] = _vlan_ranges(values["vlan_ranges"])
    values["dhcp_dns_servers"] = tuple(values["dhcp_dns_servers"])
    for name in _TLS_FILES:
        values[name] = Path(values[name]).expanduser().absolute() if values[name] else None
    options = Options(**values)
    if options.snat_block_size not in SIZES:
        near = 1 << options.snat_block_size.bit_length() - 1
        raise OptionError(
            f"snat_block_size: {options.snat_block_size} is no power of two; {near} and {near * 2} are the next ones"
        )
    _check_tls(options)
    _check_authentication(options)
    if options.dhcp_domain and not all(map(_LABEL.fullmatch, options.dhcp_domain.removesuffix(".").split("."))):
        raise OptionError(f"dhcp_domain: {options.dhcp_domain!r} is no domain name, such as cloud.example.org")
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"state_dir: {state_dir} cannot be made: {error.strerror}") from error
    return options


def default_state_dir() -> str:
    """Return where state is kept when nothing is said, which depends on who runs the controller."""
    return "/var/lib/sdnapp" if os.geteuid() == 0 else "~/.local/state/sdnapp"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a listening address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _value(conf: cfg.ConfigOpts, opt: cfg.Opt) -> object:
    try:
        return conf[GROUP.name][opt.dest]
    except (cfg.ConfigFileValueError, ValueError) as error:
        raise OptionError(f"{opt.dest}: {error}") from error


def _vni_range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,9})\s*:\s*(\d{1,9})\s*", text, re.ASCII)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= first <= last <= VNI_MAX:
        raise OptionError(f"vni_range: {text!r} is no FIRST:LAST within 1:{VNI_MAX}")
    return first, last


def _vlan_ranges(items: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    ranges: dict[str, list[tuple[int, int]]] = {}
    for item in items:
        found = re.fullmatch(r"\s*([^:\s]+):(\d{1,4}):(\d{1,4})\s*", item, re.ASCII)
        if not found or not 1 <= int(found[2]) <= int(found[3]) <= VLAN_MAX:
            raise OptionError(f"vlan_ranges: {item!r} is no PHYSICAL_NETWORK:FIRST:LAST within 1:{VLAN_MAX}")
        ranges.setdefault(found[1], []).append((int(found[2]), int(found[3])))
    return {name: sorted(each) for name, each in ranges.items()}


def _check_tls(options: Options) -> None:
    files = {name: getattr(options, name) for name in _TLS_FILES}
    given = [name for name, file in files.items() if file is not None]
    for name, file in files.items():
        if given and file is None:
            raise OptionError(f"{name}: it is missing, but {given[0]} is set; TLS needs {', '.join(_TLS_FILES)}")
        if file is not None and not os.access(file, os.R_OK):
            raise OptionError(f"{name}: {file} cannot be read")
    if options.api_client_certificates and not given:
        raise OptionError(f"api_client_certificates: it needs {', '.join(_TLS_FILES)}")
    if options.credentials is not None:
        try:
            options.credentials.context(demanding=True)
        except OSError as error:
            raise OptionError(f"{', '.join(_TLS_FILES)}: they cannot be used together: {error}") from error


def _check_authentication(options: Options) -> None:
    if options.auth_strategy == "keystone" and importlib.util.find_spec("keystonemiddleware") is None:
        raise OptionError("auth_strategy: keystone needs more packages: pip install 'sdnapp[keystone]'")
    is_open = options.auth_strategy == "noauth" and not options.allow_remote_noauth
    if is_open and not is_loopback(options.api_listen_host):
        raise OptionError(
            f"api_listen_host: with auth_strategy = noauth, whoever reaches {options.api_listen_host} is the "
            "administrator. Listen on 127.0.0.1, or set allow_remote_noauth = true if that network is trusted"
        )


def _refuse_unknown(conf: cfg.ConfigOpts) -> None:
    """oslo.config passes over names that it does not know; a mistyped option would silently do nothing."""
    known = [opt.dest for opt in OPTIONS]
    for place, name in (*_names_in_files(conf), *_names_in_environment()):
        if name.replace("-", "_") not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]}?" if near else ": docs/options.md lists them"
            raise OptionError(f"{place}: there is no option {name}{hint}")


def _names_in_environment() -> Iterator[tuple[str, str]]:
    for name in sorted(os.environ):
        if name.startswith(ENVIRONMENT_PREFIX):
            yield f"environment {name}", name.removeprefix(ENVIRONMENT_PREFIX).lower()


def _names_in_files(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str]]:
    for file in conf.config_file or ():
        names = _SectionNames()
        with open(file, encoding="utf-8") as lines:
            names.parse(lines)
        yield from ((f"{file}: [{GROUP.name}]", name) for name in names.found)


class _SectionNames(iniparser.BaseParser):
    """Collects the names that are set in our section of a configuration file."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._section = ""

    def new_section(self, section: str) -> None:
        self._section = section

    def assignment(self, key: str, value: list[str]) -> None:
        if self._section == GROUP.name:
            self.found.append(key)


def render() -> str:
    """Return docs/options.md."""
    lines = [
        "# Options",
        "",
        "<!-- Made by `python -m sdnapp.config > docs/options.md`; a test keeps it current. -->",
        "",
        "Each option of the group `[sdnapp]` can be given on the command line, in the environment, or in the file that",
        "`osken-manager --config-file FILE sdnapp` names. The command line wins over the environment and over a file",
        "named before it, the environment wins over the file (also over the command line, if all three say something):",
        "",
        "```",
        "osken-manager --sdnapp-underlay-mtu 9000 sdnapp",
        "OS_SDNAPP__UNDERLAY_MTU=9000 osken-manager sdnapp",
        "```",
        "",
        "```ini",
        "[sdnapp]",
        "underlay_mtu = 9000",
        "```",
        "",
        "Where switches reach the controller over OpenFlow is said with os-ken's own options: `--ofp-listen-host` (by",
        "default every address), `--ofp-tcp-listen-port` (6653) and, with TLS, `--ofp-ssl-listen-port` (6653, too).",
        "`osken-manager --help` lists them all.",
    ]
    for opt in OPTIONS:
        lines += ["", f"## {opt.dest}", "", str(opt.help), "", f"Default: {_shown_default(opt)}."]
        if limits := _shown_limits(opt.type):
            lines[-1] += f" {limits}"
    return "\n".join(lines) + "\n"


def _shown_default(opt: cfg.Opt) -> str:
    if opt.sample_default is not None:
        return str(opt.sample_default)
    if isinstance(opt.default, bool):
        return f"`{str(opt.default).lower()}`"
    return f"`{opt.default}`" if opt.default not in (None, "", []) else "none"


def _shown_limits(kind: object) -> str:
    if choices := getattr(kind, "choices", None):
        return f"One of {', '.join(f'`{choice}`' for choice in choices)}."
    if isinstance(kind, types.Integer) and kind.min is not None:
        return f"At least {kind.min}." if kind.max is None else f"From {kind.min} to {kind.max}."
    return ""


if __name__ == "__main__":
    print(render(), end="")
