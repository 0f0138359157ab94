"""Brings a project in line with a document: one transaction, by the rules of single requests, all or nothing.

What fails is tried again after the rest, since one change may make room for another: an address, a VLAN id, a subnet
that a port leaves. Only when nothing more succeeds is it an error. A dry run does all of that, too, and then undoes it:
what it says is what would happen. It is written to a draft, as others must neither see half of it nor wait for it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sdnapp.api.intent.attributes import in_file
from sdnapp.api.intent.declaration import Reference, written
from sdnapp.api.intent.document import Document, Item, in_order
from sdnapp.api.intent.linking import link
from sdnapp.api.intent.matching import Matching
from sdnapp.api.intent.names import as_is, replaced
from sdnapp.api.intent.places import Place, PlaceError
from sdnapp.api.intent.steps import REFUSALS, NotYetError, Steps
from sdnapp.api.quotas import Quotas
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns
from topology.draft import drafted
from topology.turns import let_go

_MOST_ROUNDS = 10
_MOST_ERRORS = 5
Step = Callable[[], None]


class _Undo(Exception):
    """Ends a transaction that was only a trial."""


@dataclass(frozen=True)
class Options:
    """``dry_run``: change nothing. ``keep``: delete nothing."""

    dry_run: bool = False
    keep: bool = False


def apply(
    ctx: Context,
    resources: Sequence[Resource[Any]],
    quotas: Quotas,
    document: Document,
    turns: Turns,
    *,
    project_id: str,
    options: Options,
) -> list[dict[str, Any]]:
    """Return what was changed, or would be, in order. Raises PlaceError, and then nothing is.

    Others have their turns meanwhile.
    """
    ordered = in_order(resources)
    with _aside(ctx, turns, options.dry_run) as aside:
        changes = _set_quotas(aside, quotas, project_id, document.quotas) if document.quotas is not None else []
        names = link(aside, resources, document.items, project_id, turns)
        lacking = Matching(aside, ordered, project_id, turns).match(document.items)
        steps = Steps(aside, names, ordered, project_id, options.dry_run)
        going = [] if options.keep else turns.between(lacking)
        deletions = [each for each in going if in_file(each[0]).may_delete(each[1])]
        _check_stay(document.items, deletions, turns)
        # Deletions come first, as they make room.
        changing = [partial(steps.update, item) for item in turns.between(document.items) if item.row_id is not None]
        creating = [_creations(steps, resource, document.items, turns) for resource in ordered]
        settling = [steps.settling(item) for item in turns.between(document.items) if in_file(item.resource).late]
        deleting = [partial(steps.delete, *each) for each in turns.between(deletions)]
        _run([[*deleting, *changing], *creating], turns)
        _run([settling], turns)
        done = [*changes, *steps.done]
    done_with: list[list[Any]] = [lacking, deletions, changing, settling, deleting, *creating]
    for several in done_with:
        let_go(several, turns.give_way)
    names.let_go(turns.give_way)
    return done


def _check_stay(items: Sequence[Item], deletions: Sequence[tuple[Resource[Any], Any]], turns: Turns) -> None:
    """Raise PlaceError where an item names an object that goes, as the document does not list it."""
    going = {row.id: resource for resource, row in turns.between(deletions)}

    def check(item: Item, reference: Reference, handle: Any, place: Place) -> Any:
        if isinstance(handle, str) and (resource := going.get(handle)) is not None:
            where = (*item.place, *(written(part) if isinstance(part, str) else part for part in place))
            message = f"this {resource.name} is in no section of the file, so it would be deleted"
            raise PlaceError(where, f"{message}: list it under {resource.collection}, or apply with --keep")
        return handle

    for item in turns.between(items):
        parent = in_file(item.resource).parent
        if parent is not None:
            check(item, in_file(item.resource).references[parent], item.parent, (parent,))
        replaced(in_file(item.resource).references, item.given, as_is, as_is, partial(check, item))


def _creations(steps: Steps, resource: Resource[Any], items: Sequence[Item], turns: Turns) -> list[Step]:
    new = (item for item in turns.between(items) if item.resource is resource and item.row_id is None)
    # Whoever names an address or a number comes before those who take what is free.
    ordered = turns.in_order(new, lambda item: -len(in_file(resource).chosen & item.given.keys()))
    return [partial(steps.create, item) for item in ordered]


def _run(stages: list[list[Step]], turns: Turns) -> None:
    """Take all steps, in as many rounds as it needs. Raises PlaceError if some are impossible.

    The first stage is tried as a whole in each round. Each other one waits for all of the stage before it: what is
    created may choose among what is there, and so that must be as it should be.
    """
    for _ in range(_MOST_ROUNDS):
        before, errors = sum(map(len, stages)), []
        for number, stage in enumerate(stages):
            stages[number], refused = _tried(turns.between(stage))
            errors += refused
            if number > 0 and stages[number]:
                break
        after = sum(map(len, stages))
        if after == 0:
            return
        if after == before:
            break
    raise _joined(errors or [PlaceError((), "objects wait for one another: break the circle of references")])


def _tried(stage: Iterable[Step]) -> tuple[list[Step], list[PlaceError]]:
    """Return the steps that could not be taken, and why."""
    left: list[Step] = []
    errors: list[PlaceError] = []
    for step in stage:
        try:
            step()
        except NotYetError:
            left.append(step)
        except PlaceError as error:
            left.append(step)
            errors.append(error)
    return left, errors


def _joined(errors: Sequence[PlaceError]) -> PlaceError:
    """Return one error for several, the ones about what stands in the document first."""
    ordered = sorted(errors, key=lambda error: not error.place)
    first, others = ordered[0], ordered[1:_MOST_ERRORS]
    more = [f"{len(ordered) - _MOST_ERRORS} more"] if len(ordered) > _MOST_ERRORS else []
    message = "; also: ".join([first.message, *map(str, others), *more])
    return PlaceError(first.place, message, first.cause)


def _set_quotas(ctx: Context, quotas: Quotas, project_id: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Set a project's own limits to those given; return the change. Raises PlaceError."""
    before = quotas.own(ctx, project_id)
    try:
        with ctx.store.transaction() as tx:
            quotas.replace(ctx, tx, project_id, given)
    except REFUSALS as error:
        raise PlaceError(("quotas",), str(error), error) from error
    after = quotas.own(ctx, project_id)
    pairs = {name: [before.get(name), after.get(name)] for name in sorted({*before, *after})}
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not changed:
        return []
    return [{"action": "update", "resource": "quota", "name": project_id, "in": None, "attributes": changed}]


@contextmanager
def _aside(ctx: Context, turns: Turns, is_trial: bool) -> Iterator[Context]:
    """Yield the context of a draft, which is put in place at the end of the block unless it was only a trial."""
    try:
        with drafted(ctx.store, turns.give_way) as (draft, _):
            yield replace(ctx, store=draft)
            if is_trial:
                raise _Undo
    except _Undo:
        pass
