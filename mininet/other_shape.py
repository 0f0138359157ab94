"""``osken-manager`` with a pipeline of another shape, as after an upgrade.

What it does is the same, but every table after the first has a number that no table had before, and registers have
changed places.

    python mininet/other_shape.py [options] sdnapp
"""

import sys

from flows import pipeline


def renumber() -> None:
    """Change the shape: the order of tables and the widths of registers stay as they were declared."""
    tables = list(pipeline.TABLES)
    free = (number for number in range(1, 254) if number not in pipeline.TABLES.by_number)
    for table, number in zip(tables[1:], free, strict=False):
        object.__setattr__(table, "number", number)
    pipeline.TABLES.by_number.clear()
    pipeline.TABLES.by_number.update({table.number: table for table in tables})
    highest = max(register.number for register in pipeline.REGISTERS.values())
    for register in pipeline.REGISTERS.values():
        object.__setattr__(register, "number", highest - register.number)


if __name__ == "__main__":
    renumber()
    from sdnapp.osken_manager import main

    raise SystemExit(main(sys.argv[1:]))
