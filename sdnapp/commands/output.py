"""What commands print: aligned columns for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from typing import Any


def show_json(document: Any) -> None:
    """Print a document for programs."""
    print(json.dumps(document, indent=2))


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows under their titles in aligned columns; text for no rows is the titles alone."""
    lines = [[title.upper() for title in titles], *([cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def cell(value: Any) -> str:
    """Write one value: yes and no, a dash for nothing, commas between several."""
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{key}:{item}" for key, item in value.items()]
    if isinstance(value, list):
        value = ",".join(map(str, value))
    if value is None or value == "":
        return "-"
    # Whatever a tenant wrote into a name stays on its line, and moves no cursor.
    return "".join(character if character.isprintable() else "?" for character in str(value))
