"""Where something stands in a document, and errors that say so."""

from collections.abc import Sequence

Place = tuple[str | int, ...]
"""Keys and positions from the top of a document: ``("networks", 0, "subnets", 1, "cidr")``."""


class PlaceError(Exception):
    """What stands at a place cannot be used. ``cause`` is the error that a single request would have got, if one.

    The place is empty where it is about the document as a whole, or about what it lacks.
    """

    def __init__(self, place: Place, message: str, cause: Exception | None = None) -> None:
        super().__init__(f"{text(place)}: {message}" if place else message)
        self.place, self.message, self.cause = place, message, cause


def text(place: Sequence[str | int]) -> str:
    """Return a place as people write it: ``networks[0].subnets[1].cidr``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")
