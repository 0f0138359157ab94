"""The operator's rules: ``[oslo_policy] policy_file``, as in every OpenStack service.

``python -m sdnapp.api.policy_file`` prints docs/policy.md, which is made from the declared rules.
"""

import difflib
import logging
from typing import Any

from oslo_config import cfg
from oslo_policy import opts
from oslo_policy.policy import parse_file_contents

from sdnapp.api.policy import BASE, Policy, PolicyError, Rule
from sdnapp.api.wsgi import declared_rules, default_policy
from sdnapp.config import OptionError

LOG = logging.getLogger(__name__)
DEFAULT = "policy.yaml"


def load(conf: cfg.ConfigOpts) -> Policy:
    """Return the policy in force. Raises OptionError, which names file and rule, for what cannot be used."""
    opts.set_defaults(conf, DEFAULT)
    name = conf.oslo_policy.policy_file
    place = conf.find_file(name)
    if place is None:
        said = conf.get_location("policy_file", "oslo_policy")
        if said is not None and said.location.is_user_controlled:
            raise OptionError(f"[oslo_policy] policy_file: there is no file {name}")
        return default_policy()
    try:
        policy = Policy(declared_rules(), _read(place))
    except PolicyError as error:
        raise OptionError(f"[oslo_policy] policy_file: {place}: {error}") from error
    LOG.info("policy is as in %s, and by default", place)
    for rule in policy.unknown:
        LOG.warning("%s: nothing asks for the rule %s%s", place, rule, _meant(rule))
    return policy


def _read(place: str) -> dict[str, Rule]:
    try:
        with open(place, encoding="utf-8") as file:
            rules: Any = parse_file_contents(file.read())
    except (OSError, ValueError) as error:
        raise PolicyError(f"it cannot be read: {error}") from error
    if not isinstance(rules, dict):
        raise PolicyError('it holds no rules: write one a line, such as "get_port": "role:reader"')
    return rules


def _meant(rule: str) -> str:
    close = difflib.get_close_matches(rule, [*declared_rules(), *BASE], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def render() -> str:
    """Return docs/policy.md."""
    lines = [
        "# Who may do what",
        "",
        "<!-- Made by `python -m sdnapp.api.policy_file > docs/policy.md`; a test keeps it current. -->",
        "",
        "These are Neutron's rules, by Neutron's names, in the language of",
        "[oslo.policy](https://docs.openstack.org/oslo.policy/latest/admin/policy-yaml-file.html). An operator writes",
        "others in a file of their own, which is read when the controller starts:",
        "",
        "```ini",
        "[oslo_policy]",
        "policy_file = /etc/sdnapp/policy.yaml",
        "```",
        "",
        "```yaml",
        '"create_router": "rule:admin_only"                          # routers are the operator\'s',
        '"get_port": "rule:admin_or_owner or role:auditor"           # auditors see every port',
        '"create_network:provider:network_type": "role:netops"',
        "```",
        "",
        "A rule that cannot be understood, or asks for what is not known, keeps the controller from starting; one that",
        "nothing asks for is told in the log. Whoever `context_is_admin` holds for may do everything, whatever the",
        "rules say, as in Neutron. The operator's own views (`/sdnapp/`, `/realized`), quotas and files of other",
        "projects are for administrators. Of `[oslo_policy]`, nothing but `policy_file` is heeded.",
        "",
        "A check is `role:NAME`, `rule:NAME`, `ATTRIBUTE:%(TARGET)s` with `project_id` or `user_id` of the caller,",
        "`service_roles:NAME`, or `field:KIND:TARGET=VALUE` (`=~` begins a regular expression). Of what is aimed at,",
        "`TARGET` is `project_id`, `network:project_id`, `shared`, `router:external`, `device_owner` or",
        "`target_project`. Of the roles admin, manager, member and reader, each includes those after it. The role",
        "`service` is for other services, such as Nova, which plug in the ports of all projects; `service_roles` are",
        "those of a service that asks on a user's behalf, with a token of its own beside his (`X-Service-Token`).",
    ]
    for title, rules in (("What others rest on", BASE), ("Actions and attributes", declared_rules())):
        lines += ["", f"## {title}", "", "| rule | default |", "|---|---|"]
        lines += [f"| `{name}` | `{rule}` |" for name, rule in rules.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
