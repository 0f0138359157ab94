import os
from dataclasses import fields
from pathlib import Path

import pytest
from oslo_config import cfg

from sdnapp import config
from sdnapp.certificates import issue
from sdnapp.config import OPTIONS, OptionError, Options, dashed, load_options, register


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith(config.ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def load(*arguments: str) -> Options:
    conf = cfg.ConfigOpts()
    register(conf)
    conf(dashed(arguments), project="test", default_config_files=[], default_config_dirs=[])
    return load_options(conf)


def test_what_holds_when_nothing_is_said(tmp_path):
    state = tmp_path / "home/.local/state/sdnapp"
    assert load() == Options(
        api_listen_host="127.0.0.1",
        api_listen_port=9696,
        api_rate_limit=100,
        api_failed_tokens=5,
        api_connections=1000,
        api_connections_of_one=200,
        api_client_timeout=60,
        ovsdb_listen_host="0.0.0.0",
        ovsdb_listen_port=6640,
        controller_address=None,
        state_dir=state,
        store_url=f"sqlite://{state}/store.sqlite",
        auth_strategy="noauth",
        allow_remote_noauth=False,
        tls_cert=None,
        tls_key=None,
        tls_ca=None,
        api_client_certificates=False,
        underlay_mtu=1500,
        chassis_limit=2000,
        connections_per_port=131_072,
        snat_block_size=1024,
        tenant_network_type="geneve",
        external_network_type="",
        vni_range=(1, (1 << 24) - 1),
        vlan_ranges={},
        quota_network=100,
        quota_subnet=100,
        quota_port=500,
        quota_security_group=10,
        quota_security_group_rule=100,
        quota_rbac_policy=10,
        quota_router=10,
        quota_floatingip=50,
        dhcp_lease_seconds=86400,
        dhcp_dns_servers=(),
        dhcp_domain="",
    )
    assert state.stat().st_mode & 0o777 == 0o700


def test_root_keeps_state_with_the_system(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert config.default_state_dir() == "/var/lib/sdnapp"


def test_every_option_is_in_the_value_and_says_what_it_is():
    assert {field.name for field in fields(Options)} == {opt.dest for opt in OPTIONS}
    for opt in OPTIONS:
        assert opt.help and opt.help.endswith(".") and "_" not in opt.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sdnapp-api-listen-port", "1234"],
        ["--sdnapp-api_listen_port", "1234"],
        ["--sdnapp-api-listen-port=1234"],
        ["--sdnapp-api_listen_port=1234"],
    ],
)
def test_the_command_line_takes_dashes_and_underscores(arguments):
    assert load(*arguments).api_listen_port == 1234


def test_only_our_options_are_rewritten_and_only_their_names():
    arguments = ["--sdnapp-dhcp_domain=a_b", "--log_file=x", "my_app", "--sdnapp-state_dir", "/a_b"]
    assert dashed(arguments) == ["--sdnapp-dhcp-domain=a_b", "--log_file=x", "my_app", "--sdnapp-state-dir", "/a_b"]


@pytest.mark.parametrize(("flag", "value"), [("allow-remote-noauth", True), ("noallow-remote-noauth", False)])
def test_switches_have_both_directions(flag, value):
    assert load(f"--sdnapp-{flag}").allow_remote_noauth is value


def test_which_of_two_sources_wins(monkeypatch, tmp_path):
    file = tmp_path / "sdnapp.conf"
    file.write_text("[sdnapp]\nunderlay_mtu = 1111\n")
    assert load("--config-file", str(file)).underlay_mtu == 1111
    assert load("--config-file", str(file), "--sdnapp-underlay-mtu", "3333").underlay_mtu == 3333
    monkeypatch.setenv("OS_SDNAPP__UNDERLAY_MTU", "2222")
    assert load("--config-file", str(file)).underlay_mtu == 2222
    assert load("--sdnapp-underlay-mtu", "3333").underlay_mtu == 3333


def test_every_option_can_be_set_in_a_file(tmp_path):
    made = issue(tmp_path / "ca", "controller")
    values = {
        "api_listen_host": "::1",
        "api_listen_port": 1,
        "api_rate_limit": 7,
        "api_failed_tokens": 3,
        "api_connections": 8,
        "api_connections_of_one": 3,
        "api_client_timeout": 5,
        "ovsdb_listen_host": "10.0.0.1",
        "ovsdb_listen_port": 2,
        "controller_address": "192.0.2.1",
        "state_dir": tmp_path / "state",
        "store_url": "sqlite:///x.sqlite",
        "auth_strategy": "noauth",
        "allow_remote_noauth": True,
        "tls_cert": made.cert,
        "tls_key": made.key,
        "tls_ca": made.ca,
        "api_client_certificates": True,
        "underlay_mtu": 9000,
        "chassis_limit": 8,
        "connections_per_port": 1000,
        "snat_block_size": 16384,
        "tenant_network_type": "vxlan",
        "external_network_type": "vlan",
        "vni_range": "100:200",
        "vlan_ranges": "physnet1:300:400,physnet2:5:5,physnet1:100:200",
        "quota_network": -1,
        "quota_subnet": 0,
        "quota_port": 7,
        "quota_router": 8,
        "quota_floatingip": 12,
        "quota_security_group": 8,
        "quota_security_group_rule": 9,
        "quota_rbac_policy": 11,
        "dhcp_lease_seconds": 600,
        "dhcp_dns_servers": "192.0.2.53, 192.0.2.54",
        "dhcp_domain": "cloud.example.org",
    }
    assert set(values) == {opt.dest for opt in OPTIONS}
    file = tmp_path / "sdnapp.conf"
    file.write_text("[sdnapp]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))
    expected = {
        **values,
        "vni_range": (100, 200),
        "vlan_ranges": {"physnet1": [(100, 200), (300, 400)], "physnet2": [(5, 5)]},
        "dhcp_dns_servers": ("192.0.2.53", "192.0.2.54"),
    }
    assert load("--config-file", str(file)) == Options(**expected)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("API_LISTEN_PORT", "70000", "api_listen_port: .*65535"),
        ("API_LISTEN_HOST", "not a host", "api_listen_host: .*not a host"),
        ("API_LISTEN_HOST", "0.0.0.0", "api_listen_host: .* Listen on 127.0.0.1, or set allow_remote_noauth = true"),
        ("API_LISTEN_HOST", "controller.example.org", "api_listen_host: .*allow_remote_noauth"),
        ("AUTH_STRATEGY", "kerberos", "auth_strategy: .*kerberos"),
        ("VNI_RANGE", "0:5", "vni_range: '0:5' is no FIRST:LAST within 1:16777215"),
        ("VNI_RANGE", "5:4", "vni_range"),
        ("SNAT_BLOCK_SIZE", "1000", "snat_block_size: 1000 is no power of two; 512 and 1024"),
        ("SNAT_BLOCK_SIZE", "32", "snat_block_size"),
        ("SNAT_BLOCK_SIZE", "65536", "snat_block_size"),
        ("SNAT_BLOCK_SIZE", "many", "snat_block_size"),
        ("VNI_RANGE", "1:16777216", "vni_range"),
        ("VNI_RANGE", "all", "vni_range"),
        ("VLAN_RANGES", "physnet1:1:4095", "vlan_ranges: 'physnet1:1:4095' is no PHYSICAL_NETWORK:FIRST:LAST"),
        ("VLAN_RANGES", "physnet1:9:8", "vlan_ranges"),
        ("VLAN_RANGES", "100:200", "vlan_ranges"),
        ("UNDERLAY_MTU", "100", "underlay_mtu: .*640"),
        ("UNDERLAY_MTU", "big", "underlay_mtu: .*big"),
        ("QUOTA_PORT", "-2", "quota_port: .*-1"),
        ("QUOTA_PORT", "many", "quota_port: .*many"),
        ("DHCP_LEASE_SECONDS", "4294967295", "dhcp_lease_seconds"),
        ("DHCP_DNS_SERVERS", "10.0.0.1,dns.example.org", "dhcp_dns_servers: .*dns.example.org"),
        ("DHCP_DOMAIN", "two words", "dhcp_domain: 'two words' is no domain name"),
        ("DHCP_DOMAIN", "a..b", "dhcp_domain"),
        ("DHCP_DOMAIN", "-a.b", "dhcp_domain"),
        ("TENANT_NETWORK_TYPE", "gre", "tenant_network_type: .*gre"),
        ("EXTERNAL_NETWORK_TYPE", "geneve", "external_network_type: .*geneve"),
        ("TLS_CERT", "/proc/version", "tls_key: it is missing, but tls_cert is set"),
        ("API_CLIENT_CERTIFICATES", "true", "api_client_certificates: it needs tls_cert, tls_key, tls_ca"),
        ("ALLOW_REMOTE_NOAUTH", "perhaps", "allow_remote_noauth: .*perhaps"),
        ("STATE_DIR", "/proc/sdnapp", "state_dir: /proc/sdnapp cannot be made"),
        ("UNDERLAY_MUT", "9000", "environment OS_SDNAPP__UNDERLAY_MUT: .*did you mean underlay_mtu"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_fix(monkeypatch, name, value, complaint):
    monkeypatch.setenv(config.ENVIRONMENT_PREFIX + name, value)
    with pytest.raises(OptionError, match=complaint):
        load()


def test_a_mistyped_name_in_the_file_is_refused(tmp_path):
    file = tmp_path / "sdnapp.conf"
    file.write_text("[DEFAULT]\nverbose = true\n[other]\nport = 1\n[sdnapp]\napi_port = 1\n")
    with pytest.raises(OptionError, match=r"sdnapp\.conf: \[sdnapp\]: there is no option api_port, did you mean api_l"):
        load("--config-file", str(file))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_noauth_is_served_to_this_machine(monkeypatch, host):
    monkeypatch.setenv("OS_SDNAPP__API_LISTEN_HOST", host)
    assert load().api_listen_host == host


def test_noauth_is_served_to_others_only_on_demand(monkeypatch):
    monkeypatch.setenv("OS_SDNAPP__API_LISTEN_HOST", "0.0.0.0")
    monkeypatch.setenv("OS_SDNAPP__ALLOW_REMOTE_NOAUTH", "true")
    assert load().api_listen_host == "0.0.0.0"


def test_the_store_is_in_the_state_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("--sdnapp-state-dir", "here").store_url == f"sqlite://{tmp_path}/here/store.sqlite"
    assert (tmp_path / "here").is_dir()


def test_the_document_is_current():
    document = Path(__file__).parents[2] / "docs/options.md"
    assert document.read_text() == config.render(), "python -m sdnapp.config > docs/options.md"


def test_files_for_tls_must_belong_together(tmp_path):
    one, other = issue(tmp_path / "a", "controller"), issue(tmp_path / "b", "controller")
    options = ["--sdnapp-tls-cert", one.cert, "--sdnapp-tls-key", other.key, "--sdnapp-tls-ca", one.ca]
    with pytest.raises(OptionError, match="tls_cert, tls_key, tls_ca: they cannot be used together"):
        load(*map(str, options))
    options[3] = tmp_path / "none"
    with pytest.raises(OptionError, match=r"tls_key: .*none cannot be read"):
        load(*map(str, options))
