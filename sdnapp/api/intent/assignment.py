"""Who goes with whom, where there is choice: as many pairs as there can be, and not merely the first that come."""

from collections.abc import Callable, Mapping


def assign(
    items: int, rows: int, fits: Callable[[int, int], bool], pairs: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Return as many pairs as there can be of items and rows that fit, as item to row; both are counted from 0.

    ``pairs`` are there already: their items keep a row, though perhaps another one that fits. Earlier items and rows
    come first. This is Kuhn's search for augmenting paths: who finds no free row asks the holders of those that would
    fit to move on.
    """
    row_of = dict(pairs or {})
    item_of = {row: item for item, row in row_of.items()}
    free = dict.fromkeys(row for row in range(rows) if row not in item_of)
    hopeless: set[int] = set()
    for item in range(items):
        if item in row_of:
            continue
        asked_by: dict[int, int] = {}
        asking = [item]
        for one in asking:
            row = next((row for row in free if fits(one, row)), None)
            if row is not None:
                del free[row]
                taker = one
                while taker != item:
                    before = row_of[taker]
                    row_of[taker], item_of[row] = row, taker
                    row, taker = before, asked_by[before]
                row_of[item], item_of[row] = row, item
                break
            for held, holder in item_of.items():
                if held not in asked_by and held not in hopeless and fits(one, held):
                    asked_by[held] = one
                    asking.append(holder)
        else:
            # From where there was no way to a free row there never will be one.
            hopeless.update(asked_by)
    return row_of
