"""What a resource declares, and what all resources share: visibility, stamps, targets of policy."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast

from webob.multidict import MultiDict

from sdnapp.api import sharing
from sdnapp.api.attributes import AttributeMap
from sdnapp.api.identity import Identity
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Policy, Rule, Target
from sdnapp.api.schemas import COUNT, STRING, TIME, Schema, list_of
from sdnapp.api.services import Services
from topology.store import Store, Transaction
from topology.values import Network, Port, Row, Subnet

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Context:
    """What one request works with. Reads go through the store, which shows an open transaction's writes too."""

    store: Store
    services: Services
    who: Identity
    policy: Policy
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def timestamp(self) -> str:
        """The time of the request, as Neutron writes it: UTC, to the second."""
        return str(self.once("time", lambda: self.services.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what ``compute`` returns, computed once in this request."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]


Getter = Callable[[Context, Any], Any]
"""From a row to the value that the API shows."""


class Filter(NamedTuple):
    """One condition of a list. Where an index has the rows, ``by`` names it and ``keys`` are what to look up."""

    matches: Callable[[Context, Any], bool]
    by: str | None = None
    keys: Sequence[Any] = ()


def column(name: str) -> Getter:
    """Show a field of the row as it is."""
    return lambda ctx, row: getattr(row, name)


def constant(value: Any) -> Getter:
    """Show the same for each row."""
    return lambda ctx, row: value


STANDARD_VIEW: dict[str, Getter] = {
    "id": column("id"),
    "name": column("name"),
    "tenant_id": column("project_id"),
    "project_id": column("project_id"),
    "description": column("description"),
    "created_at": column("created_at"),
    "updated_at": column("updated_at"),
    "revision_number": column("revision_number"),
}

STANDARD_SCHEMAS: dict[str, Schema] = {
    "created_at": TIME,
    "updated_at": TIME,
    "revision_number": COUNT,
    "tags": list_of(STRING),
}


class Resource(ABC, Generic[R]):
    """A kind of object of the API.

    ``view`` maps each attribute that clients see to how it follows from the row, ``unseen`` those that only filter.
    ``schemas`` say what the view shows where the attribute's specification does not, or not as exactly.
    ``indexes`` maps an attribute to the store's index that finds rows by it. ``rules`` are as ``policy`` says.
    ``methods`` are those that change objects; a resource may lack some. ``has_quota``: a project may have only so many.
    ``first_revision`` is the revision number of new objects: Neutron's differs.
    ``actions`` are what else can be done to an object, by a PUT below it; each has a rule of its name and, in
    ``action_schemas``, what is sent and what is answered.
    ``is_shown_only``: who may see an object of others but not change it is told, when he tries, that it is not there.
    ``takes_others_along``: deleting one may delete thousands of other objects.
    ``in_file``: how its objects stand in the document of a project's intent; None where they do not.
    """

    name: ClassVar[str]
    collection: ClassVar[str]
    row: ClassVar[type[Any]]
    attributes: ClassVar[AttributeMap]
    view: ClassVar[Mapping[str, Getter]]
    unseen: ClassVar[Mapping[str, Getter]] = {}
    schemas: ClassVar[Mapping[str, Schema]] = STANDARD_SCHEMAS
    indexes: ClassVar[dict[str, str]] = {"name": "name", "project_id": "project", "tenant_id": "project"}
    rules: ClassVar[Mapping[str, Rule]]
    has_quota: ClassVar[bool] = False
    first_revision: ClassVar[int] = 1
    is_shown_only: ClassVar[bool] = False
    takes_others_along: ClassVar[bool] = False
    in_file: ClassVar[InFile | None] = None
    methods: ClassVar[frozenset[str]] = frozenset({"POST", "PUT", "DELETE"})
    actions: ClassVar[frozenset[str]] = frozenset()
    action_schemas: ClassVar[Mapping[str, tuple[Schema, Schema]]] = {}

    @property
    def path(self) -> str:
        """Where the collection is below ``/v2.0``; bodies call it ``collection``."""
        return self.collection.replace("_", "-")

    @abstractmethod
    def not_found(self, row_id: str) -> Exception:
        """Return the error for an object that is not there, or that the caller may not see."""

    @abstractmethod
    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Return groups of sorted ids, among them those of all objects that a mere member may see."""

    @abstractmethod
    def target(self, ctx: Context, row: R, values: Mapping[str, Any]) -> Target:
        """Return an existing object, about to get new values, as the target of an action."""

    @abstractmethod
    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return an object that is about to be created as the target of that. Raises NotFound for what it refers to."""

    @abstractmethod
    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> R:
        """Apply the business rules and return the new row; the controller stamps and stores it."""

    @abstractmethod
    def update(self, ctx: Context, tx: Transaction, row: R, values: dict[str, Any]) -> R:
        """Apply the business rules and return the changed row; the controller stamps and stores it."""

    @abstractmethod
    def delete(self, ctx: Context, tx: Transaction, row: R) -> None:
        """Apply the business rules, release what the object holds, and delete its row."""

    def check_together(self, ctx: Context, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Refuse new objects that one request may not create together."""

    def act(self, ctx: Context, tx: Transaction, action: str, row: R, body: object) -> dict[str, Any]:
        """Do one of ``actions`` and return the body of the answer. The body of the request may be any JSON."""
        raise NotImplementedError

    def before_list(self, ctx: Context, query: MultiDict) -> None:
        """Make what a list must show, if it is made at first use. The request has been found to be right."""

    def may_see(self, ctx: Context, row: R) -> bool:
        """Return whether the caller may see an object: what he may not see is not there for him."""
        return ctx.who.is_admin or ctx.policy.allows(ctx.who, f"get_{self.name}", self.target(ctx, row, {}))

    def special_filter(self, name: str, values: list[str]) -> Filter | None:
        """Return the filter for an attribute that is not compared as a whole; None for all others."""
        return None


class ReadOnlyResource(Resource[R]):
    """A kind of object that follows from others: nobody creates, changes or deletes it."""

    methods = frozenset()

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Not served."""
        raise NotImplementedError

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> R:
        """Not served."""
        raise NotImplementedError

    def update(self, ctx: Context, tx: Transaction, row: R, values: dict[str, Any]) -> R:
        """Not served."""
        raise NotImplementedError

    def delete(self, ctx: Context, tx: Transaction, row: R) -> None:
        """Not served."""
        raise NotImplementedError


def stamp_new(ctx: Context, tx: Transaction, row: R, revision: int = 1) -> R:
    """Store a new row with its first revision number and the time; return it."""
    now = ctx.timestamp
    stamped = cast(R, replace(cast(Any, row), created_at=now, updated_at=now, revision_number=revision))
    tx.put(stamped)
    return stamped


def stamp_changed(ctx: Context, tx: Transaction, row: R) -> R:
    """Store a changed row with the next revision number and the time; return it."""
    changed = cast(Any, row)
    stamped = cast(R, replace(changed, updated_at=ctx.timestamp, revision_number=changed.revision_number + 1))
    tx.put(stamped)
    return stamped


def sees_network(ctx: Context, network: Network) -> bool:
    """Return whether the caller may see a network: his own, a shared or external one, any if he serves all."""
    project_id = ctx.who.project_id
    return (
        ctx.who.serves_all
        or sharing.has_access(ctx.store, network, project_id)
        or sharing.is_external(ctx.store, network, project_id)
    )


def networks_of(ctx: Context) -> tuple[str, ...]:
    """Return the ids of the networks of the caller's project."""
    return ctx.store.find_ids(Network, "project", ctx.who.project_id)


def is_shared(ctx: Context, row: Any) -> bool:
    """Return ``shared`` as Neutron shows it: whether what can be shared is, with the caller's project or with all."""
    return sharing.is_shared(ctx.store, row, ctx.who.project_id)


def target_on(ctx: Context, row: Port | Subnet) -> Target:
    """Return a port or subnet as a policy target."""
    network = ctx.store.get(Network, row.network_id)
    device_owner = row.device_owner if isinstance(row, Port) else ""
    if network is None:
        return Target(row.project_id, device_owner=device_owner)
    return Target(
        row.project_id,
        network.project_id,
        is_shared(ctx, network),
        device_owner,
        external=sharing.is_external(ctx.store, network, ctx.who.project_id),
    )
