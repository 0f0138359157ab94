"""A range of port numbers as the fewest values with masks that make it up (a *bitmask cover*)."""

BITS = 16


def cover(first: int, last: int) -> list[tuple[int, int]]:
    """Return (value, mask) pairs that together match the numbers from ``first`` to ``last``, each exactly once.

    At most 30 are needed for any range of 16 bits. Raises ValueError for numbers that are no range of ports.
    """
    if not 0 <= first <= last < 1 << BITS:
        raise ValueError(f"{first} to {last} is no range of {BITS}-bit numbers")
    found = []
    while first <= last:
        # The largest aligned block that begins here, and does not reach beyond the end.
        size = first & -first or 1 << BITS
        while size > last - first + 1:
            size >>= 1
        found.append((first, (1 << BITS) - size))
        first += size
    return found
