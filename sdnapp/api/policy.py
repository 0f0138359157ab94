"""Who may do what: Neutron's default policy, as functions.

A resource declares its rules by name: ``create_port`` for an action, ``create_port:mac_address`` for an attribute given
in it, ``create_port:fixed_ips:ip_address`` for a key of a list's items, ``get_port:binding:profile`` for an attribute
to be seen.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sdnapp.api.errors import PolicyNotAuthorized
from sdnapp.api.identity import Identity
from sdnapp.api.sharing import EVERYBODY


@dataclass(frozen=True)
class Target:
    """What an action is aimed at: its owner, and of ports and subnets its network's owner and sharing.

    ``shared``: with the caller's project, or with all. ``external``: a network that is external to the
    caller's project, or a subnet of one. ``target_project``: whom an RBAC policy is for.
    """

    project_id: str
    network_project_id: str | None = None
    network_shared: bool = False
    device_owner: str = ""
    shared: bool = False
    target_project: str = ""
    external: bool = False


Rule = Callable[[Identity, Target], bool]


def any_of(*rules: Rule) -> Rule:
    """Combine rules: one is enough."""
    return lambda who, target: any(rule(who, target) for rule in rules)


def admin(who: Identity, target: Target) -> bool:
    """Administrators."""
    return who.is_admin


def reader(who: Identity, target: Target) -> bool:
    """Readers of any project."""
    return "reader" in who.roles


def project_member(who: Identity, target: Target) -> bool:
    """Members of the owning project."""
    return "member" in who.roles and who.project_id == target.project_id


def project_reader(who: Identity, target: Target) -> bool:
    """Readers of the owning project."""
    return "reader" in who.roles and who.project_id == target.project_id


def network_member(who: Identity, target: Target) -> bool:
    """Members of the project that owns the network."""
    return "member" in who.roles and who.project_id == target.network_project_id


def network_manager(who: Identity, target: Target) -> bool:
    """Managers of the project that owns the network."""
    return "manager" in who.roles and who.project_id == target.network_project_id


def network_reader(who: Identity, target: Target) -> bool:
    """Readers of the project that owns the network."""
    return "reader" in who.roles and who.project_id == target.network_project_id


def shared_network(who: Identity, target: Target) -> bool:
    """Members of any project, on a network that all share."""
    return "member" in who.roles and target.network_shared


def shared_network_reader(who: Identity, target: Target) -> bool:
    """Readers of any project, of a network that all share."""
    return "reader" in who.roles and target.network_shared


def shared_reader(who: Identity, target: Target) -> bool:
    """Readers of any project that shares in the target."""
    return "reader" in who.roles and target.shared


def external_network(who: Identity, target: Target) -> bool:
    """Anybody to whom the network is external, with any role or none."""
    return target.external


def not_for_everybody(who: Identity, target: Target) -> bool:
    """Anybody, unless the target is for all projects."""
    return target.target_project != EVERYBODY


def owner(who: Identity, target: Target) -> bool:
    """Whoever is in the owning project: what Neutron falls back to for what has no rule of its own."""
    return who.is_admin or who.project_id == target.project_id


def enforce(
    rules: Mapping[str, Rule], who: Identity, action: str, target: Target, given: Iterable[tuple[str, Any]] = ()
) -> None:
    """Check an action together with the attributes that were given in it. Raises PolicyNotAuthorized.

    The message holds all rules that were tried, nested as Neutron does it.
    """
    if who.is_admin:
        return
    tried, text = [action], f"rule:{action}"
    for name, value in given:
        attribute, *keys = _rule_names(f"{action}:{name}", value)
        tried += [attribute, *keys]
        part = f"rule:{attribute}"
        if keys:
            part = f"({part} and ({' and '.join(f'rule:{key}' for key in keys)}))"
        text = f"({text} and {part})"
    if not all(rules.get(name, owner)(who, target) for name in tried):
        raise PolicyNotAuthorized(rule=text)


def allows(rules: Mapping[str, Rule], who: Identity, attribute: str, target: Target, value: Any) -> bool:
    """Return whether the rules of one attribute, such as ``create_port:mac_address``, allow a value."""
    return who.is_admin or all(rules.get(name, owner)(who, target) for name in _rule_names(attribute, value))


def _rule_names(attribute: str, value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    items = [item for item in several if isinstance(item, dict)]
    return [attribute, *(f"{attribute}:{key}" for item in items for key in item)]
