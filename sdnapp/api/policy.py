"""Who may do what: Neutron's default policy in the language of oslo.policy, and what an operator's file says instead.

A resource declares its rules by name: ``create_port`` for an action, ``create_port:mac_address`` for an attribute given
in it, ``create_port:fixed_ips:ip_address`` for a key of a list's items, ``get_port:binding:profile`` for an attribute
to be seen. A rule may name others (``rule:network_owner``); ``BASE`` holds those that many share.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from oslo_config import cfg
from oslo_policy import policy as oslo

from sdnapp.api.errors import PolicyNotAuthorized
from sdnapp.api.identity import Identity, with_implied

Rule = str
"""An expression: https://docs.openstack.org/oslo.policy/latest/reference/api/oslo_policy.policy.html"""

_RECOGNISED = {"admin": "context_is_admin", "service": "service_api"}
"""Roles that mean something to us, and the rules that say who has them."""
_MANY = 10_000
"""From this number of decisions on, all are forgotten."""


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

    @property
    def attributes(self) -> dict[str, Any]:
        """What rules can ask about it; what is not known, or is empty, is not there, so that nothing equals it."""
        known = {
            "project_id": self.project_id,
            "network:project_id": self.network_project_id,
            "shared": self.network_shared or self.shared,
            "router:external": self.external,
            "device_owner": self.device_owner,
            "target_project": self.target_project,
        }
        named_twice = {"tenant_id": "project_id", "network:tenant_id": "network:project_id"}
        known |= {old: known[new] for old, new in named_twice.items()} | {"target_tenant": self.target_project}
        return {name: value for name, value in known.items() if value not in (None, "")}


def any_of(*rules: Rule) -> Rule:
    """Combine rules: one is enough."""
    return " or ".join(f"({rule})" if " " in rule else rule for rule in rules)


BASE: Mapping[str, Rule] = {
    "context_is_admin": "role:admin",
    "admin_only": "rule:context_is_admin",
    "service_api": "role:service",
    "owner": "project_id:%(project_id)s",
    "admin_or_owner": "rule:context_is_admin or rule:owner",
    "network_owner": "project_id:%(network:project_id)s",
    "network_device": "field:ports:device_owner=~^network:",
    "shared": "field:networks:shared=True",
    "external": "field:networks:router:external=True",
    "default": "rule:admin_or_owner",
}
"""Neutron's names for what many share. ``context_is_admin`` may do everything; ``default`` is for what has no rule.

``service_api`` is for other services, such as Nova, which plug in the ports of all projects.
"""

admin: Rule = "rule:admin_only"
service: Rule = "rule:service_api"
reader: Rule = "role:reader"
project_member: Rule = "role:member and rule:owner"
project_reader: Rule = "role:reader and rule:owner"
network_member: Rule = "role:member and rule:network_owner"
project_manager: Rule = "role:manager and rule:owner"
network_manager: Rule = "role:manager and rule:network_owner"
network_reader: Rule = "role:reader and rule:network_owner"
shared_network: Rule = "role:member and rule:shared"
shared_reader: Rule = "role:reader and rule:shared"
external_network: Rule = "rule:external"
not_for_everybody: Rule = "not field:rbac_policies:target_tenant=*"


class PolicyError(Exception):
    """A rule that cannot be used; the text names it."""


class Policy:
    """The rules in force. ``written`` are an operator's, in place of those ``declared``. Raises PolicyError."""

    def __init__(self, declared: Mapping[str, Rule], written: Mapping[str, Rule] | None = None) -> None:
        self._declared, self._written = {**BASE, **declared}, dict(written or {})
        rules = {**self._declared, **self._written}
        for name, rule in self._written.items():
            _check(name, rule, rules)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo.Enforcer(conf, use_conf=False)
        self._enforcer.set_rules(oslo.Rules.from_dict(rules), use_conf=False)
        self._rules = rules
        self._with_keys = frozenset(name.rpartition(":")[0] for name in rules)
        self._decisions: dict[tuple[str, Identity, Target], bool] = {}
        self.changes = cache(self._changes)

    @property
    def unknown(self) -> list[str]:
        """What an operator has written rules for that nothing here asks about, and no other rule either."""
        named = {name for rule in self._written.values() for name in _names_in(rule)}
        return sorted(self._written.keys() - self._declared.keys() - named)

    def recognised(self, who: Identity) -> Identity:
        """Return the caller with the role of an administrator if, and only if, ``context_is_admin`` says so.

        ``service_api`` says likewise who has that of a service.
        """
        for role, rule in _RECOGNISED.items():
            if self._permits(rule, who, Target("")) != (role in who.roles):
                roles = who.roles - {role} if role in who.roles else with_implied({*who.roles, role})
                who = replace(who, roles=roles)
        return who

    def enforce(self, who: Identity, action: str, target: Target, given: Iterable[tuple[str, Any]] = ()) -> None:
        """Check an action together with the attributes that were given in it. Raises PolicyNotAuthorized.

        The message holds all rules that were tried, nested as Neutron does it.
        """
        if who.is_admin:
            return
        tried, text = [action], f"rule:{action}"
        for name, value in given:
            attribute, *keys = self._rule_names(f"{action}:{name}", value)
            tried += [attribute, *keys]
            part = f"rule:{attribute}"
            if keys:
                part = f"({part} and ({' and '.join(f'rule:{key}' for key in keys)}))"
            text = f"({text} and {part})"
        if not all(self._permits(name, who, target) for name in tried):
            raise PolicyNotAuthorized(rule=text)

    def allows(self, who: Identity, rule: str, target: Target, value: Any = None) -> bool:
        """Return whether a rule, such as ``get_port`` or ``create_port:mac_address``, allows a value."""
        return who.is_admin or all(self._permits(name, who, target) for name in self._rule_names(rule, value))

    def knows(self, rule: str) -> bool:
        """Return whether there is a rule of this name."""
        return rule in self._rules

    def _permits(self, name: str, who: Identity, target: Target) -> bool:
        # What a rule can ask is in the three, so that one decision holds for all that are alike.
        key = (name, who, target)
        found = self._decisions.get(key)
        if found is None:
            if len(self._decisions) >= _MANY:
                self._decisions.clear()
            rule = name if name in self._rules else "default"
            found = bool(self._enforcer.enforce(rule, target.attributes, _attributes_of(who)))
            self._decisions[key] = found
        return found

    def _rule_names(self, attribute: str, value: Any) -> list[str]:
        """Return the rules that a value is under: its attribute's, and its keys' unless they may be any."""
        if isinstance(value, dict) and attribute not in self._with_keys:
            return [attribute]
        several = value if isinstance(value, list) else [value]
        items = [item for item in several if isinstance(item, dict)]
        return [attribute, *(f"{attribute}:{key}" for item in items for key in item)]

    def _changes(self, name: str) -> bool:
        """Return whether an operator has changed a rule, or one that it rests on."""
        return name in self._written or any(map(self._changes, _names_in(self._rules.get(name, ""))))


@oslo.register("field")
class FieldCheck(oslo.Check):
    """``field:ports:device_owner=~^network:`` looks at what an action is aimed at, as in Neutron's rules."""

    def __call__(self, target: Mapping[str, Any], creds: Any, enforcer: Any, current_rule: str | None = None) -> bool:
        """Return whether the target's attribute is as wanted; ``~`` begins a regular expression."""
        name, wanted = _field(self.match)
        found = target.get(name)
        if wanted.startswith("~"):
            return isinstance(found, str) and re.match(wanted[1:], found) is not None
        return found is not None and str(found) == wanted


def _field(text: str) -> tuple[str, str]:
    """Take ``networks:router:external=True`` apart into attribute and value; the kind of object is for the reader."""
    name, _, value = text.partition(":")[2].partition("=")
    return name, value


def _attributes_of(who: Identity) -> dict[str, Any]:
    """Return what rules can ask about a caller."""
    known = {"project_id": who.project_id, "tenant_id": who.project_id, "user_id": who.user_id}
    roles = {"roles": sorted(who.roles), "service_roles": sorted(who.service_roles)}
    return {**roles, **{name: value for name, value in known.items() if value}}


# What an operator writes

_TARGETS = frozenset(Target("x", "x", device_owner="x", target_project="x").attributes)
_CALLER = frozenset({"project_id", "tenant_id", "user_id", "service_roles"})
_REFERENCE = re.compile(r"%\(([^)]*)\)s")
_WORDS = frozenset({"and", "or", "not", "@", "!"})


def _names_in(rule: Rule) -> list[str]:
    return [match for kind, match in _checks_in(rule) if kind == "rule"]


def _checks_in(rule: Rule) -> list[tuple[str, str]]:
    """Return the checks of an expression as kind and match."""
    parts = (part.lstrip("(") for part in rule.split())
    tokens = (part.rstrip(")") if not part.endswith(")s") else part for part in parts)
    found = (token.partition(":") for token in tokens if token.lower() not in _WORDS)
    return [(kind, match) for kind, _, match in found if kind]


def _check(name: str, rule: Any, rules: Mapping[str, Rule]) -> None:
    """Raise PolicyError unless a rule can be understood, and asks only for what is known."""
    if not isinstance(rule, str):
        raise PolicyError(f"{name}: {rule!r} is no text; write one such as 'role:member and rule:owner'")
    for kind, match in _checks_in(rule):
        if kind == "rule":
            if match not in rules:
                raise PolicyError(f"{name}: there is no rule {match}; docs/policy.md has all")
            if _reaches(match, name, rules):
                raise PolicyError(f"{name}: it rests on itself, by way of rule:{match}")
        elif kind == "field":
            if _field(match)[0] not in _TARGETS:
                raise PolicyError(f"{name}: {kind}:{match} asks for none of {', '.join(sorted(_TARGETS))}")
        elif kind in ("http", "https"):
            raise PolicyError(f"{name}: {kind}: checks are not made here")
        elif kind != "role" and kind not in _CALLER and kind[:1] not in "'\"" and kind not in ("True", "False"):
            raise PolicyError(f"{name}: of a caller, {kind!r} is not known; role, {', '.join(sorted(_CALLER))} are")
        if unknown := [each for each in _REFERENCE.findall(match) if each not in _TARGETS]:
            raise PolicyError(f"{name}: %({unknown[0]})s is none of {', '.join(sorted(_TARGETS))}")
    if not _is_understood(rule):
        raise PolicyError(f"{name}: {rule!r} is no expression; write one such as 'role:member and rule:owner'")


def _reaches(start: str, goal: str, rules: Mapping[str, Rule], seen: frozenset[str] = frozenset()) -> bool:
    if start == goal:
        return True
    return start not in seen and any(
        _reaches(name, goal, rules, seen | {start}) for name in _names_in(rules.get(start, ""))
    )


def _is_understood(rule: Rule) -> bool:
    # oslo.policy logs what it does not understand, with a traceback, and takes it for a rule that permits nothing.
    log = logging.getLogger("oslo_policy._parser")
    before, log.disabled = log.disabled, True
    try:
        return str(oslo.Rules.from_dict({"it": rule})["it"]) != "!" or rule.strip() == "!"
    finally:
        log.disabled = before
