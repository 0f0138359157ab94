"""What an Open vSwitch can do, by its version, where its database does not tell. Pure."""

MENDED = ((2, 17, 8), (3, 0, 5), (3, 1, 3), (3, 2))
"""The releases that brought "dpif-netdev: Fix dpif_netdev_flow_put", each to its branch, the last to all after it."""
LIMITED_BY_DATABASE = (3, 3)
"""The Open vSwitch since which the database says how many connections a zone may have."""
COUNTED_APART = (3, 5)
"""The Open vSwitch since which the datapath in user space counts each zone's connections by itself."""

Version = tuple[int, ...]


def version_of(text: str | None) -> Version:
    """Return the numbers of a version such as ``3.1.0``; none where it says nothing."""
    return tuple(int(part) for part in (text or "").split(".") if part.isascii() and part.isdecimal())


def alters_the_right_flow(version: Version) -> bool:
    """Return whether the datapath in user space alters the cached flow that it is told to.

    Others may alter a wider one in its place, which leaves the first as it was (docs/performance.md).
    """
    return version >= MENDED[-1] or any(version[:2] == mended[:2] and version >= mended for mended in MENDED)


def limits_zones(version: Version) -> bool:
    """Return whether its database says how many connections a zone may have."""
    return version >= LIMITED_BY_DATABASE


def counts_zones_apart(version: Version) -> bool:
    """Return whether the datapath in user space counts the connections of each zone by itself, named or not."""
    return version >= COUNTED_APART
