"""Who may use what is not his own: the RBAC policies on networks, subnet pools and address scopes, as questions.

A policy gives an action on one object to one project, or to all. What is shared with all also says so in its row
(``shared``).
"""

from typing import Any, Protocol

from topology.store import Store, Transaction
from topology.values import AddressGroup, AddressScope, Network, RbacPolicy, SecurityGroup, SubnetPool

ACCESS_SHARED = "access_as_shared"
ACCESS_EXTERNAL = "access_as_external"
EVERYBODY = "*"

TYPES: dict[str, type[Any]] = {
    "address_group": AddressGroup,
    "address_scope": AddressScope,
    "network": Network,
    "security_group": SecurityGroup,
    "subnetpool": SubnetPool,
}
"""What can be shared: Neutron's name for it, and its rows."""
TYPE_OF = {kind: name for name, kind in TYPES.items()}


class Shareable(Protocol):
    """A row of one of the types that can be shared."""

    @property
    def id(self) -> str:
        """The key."""
        ...

    @property
    def project_id(self) -> str:
        """The owner."""
        ...

    @property
    def shared(self) -> bool:
        """Whether it is shared with all."""
        ...


def is_granted(store: Store, row: Shareable, project_id: str | None, action: str = ACCESS_SHARED) -> bool:
    """Return whether a policy on the object is for this project (``*``: for all) in particular."""
    return bool(store.find_ids(RbacPolicy, "grant", (row.id, project_id, action)))


def is_shared(store: Store, row: Shareable, project_id: str | None) -> bool:
    """Return whether an object is shared with a project, by name or together with all others."""
    return row.shared or is_granted(store, row, project_id)


def has_access(store: Store, row: Shareable, project_id: str | None) -> bool:
    """Return whether an object is a project's own or shared with it."""
    return row.project_id == project_id or is_shared(store, row, project_id)


def is_external(store: Store, network: Network, project_id: str | None) -> bool:
    """Return whether a network is external to a project, by name or together with all others: it may see it."""
    return network.external and any(
        is_granted(store, network, each, ACCESS_EXTERNAL) for each in (project_id, EVERYBODY)
    )


def external_ids(store: Store, project_id: str | None) -> set[str]:
    """Return the ids of the networks that are external to a project."""
    granted = (store.find(RbacPolicy, "to", ("network", each, ACCESS_EXTERNAL)) for each in (project_id, EVERYBODY))
    return {each.object_id for policies in granted for each in policies}


def shared_ids(store: Store, kind: type[Any], project_id: str | None) -> set[str]:
    """Return the ids of the objects of a kind that are shared with a project, or with all."""
    named = store.find(RbacPolicy, "to", (TYPE_OF[kind], project_id, ACCESS_SHARED))
    return {*store.find_ids(kind, "shared", "yes"), *(policy.object_id for policy in named)}


def targets(store: Store | Transaction, object_id: str, action: str = ACCESS_SHARED) -> set[str]:
    """Return the projects that an object is shared with; ``*`` among them means all."""
    return {each.target_project for each in store.find(RbacPolicy, "object", object_id) if each.action == action}
