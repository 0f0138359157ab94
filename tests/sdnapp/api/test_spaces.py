"""Spaces are what netaddr's sets of prefixes are, which are slower."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from netaddr import IPNetwork, IPSet

from sdnapp.api.resources import spaces


def prefixes_of(version: int, bits: int, around: int) -> st.SearchStrategy[list[str]]:
    """Prefixes that lie close to one another, at the ends of the version's addresses, too."""
    size = st.integers(0, 6)
    numbers = st.one_of(st.integers(around, around + 70), st.integers((1 << bits) - 70, (1 << bits) - 1))
    one = st.builds(lambda number, left: IPNetwork((number, bits - left), version=version).cidr, numbers, size)
    whole = st.just(IPNetwork((0, 0), version=version))
    return st.lists(st.one_of(one, one, one, one, whole).map(str), max_size=8)


FOUR = st.tuples(st.just(4), prefixes_of(4, 32, 0), prefixes_of(4, 32, 0))
SIX = st.tuples(st.just(6), prefixes_of(6, 128, 0x20010DB8 << 96), prefixes_of(6, 128, 0x20010DB8 << 96))


@given(st.one_of(FOUR, SIX))
def test_spaces_are_what_sets_of_prefixes_are(given: Any) -> None:
    version, one, other = given
    here, there = (spaces.covered(map(IPNetwork, prefixes)) for prefixes in (one, other))
    ours, theirs = IPSet(one), IPSet(other)
    assert spaces.texts(here, version) == tuple(map(str, ours.iter_cidrs()))
    assert spaces.texts(spaces.without(here, there), version) == tuple(map(str, (ours - theirs).iter_cidrs()))
    assert [str(prefix) for prefix in spaces.prefixes(here, version)] == list(map(str, ours.iter_cidrs()))
    assert spaces.overlap(here, there) == (not ours.isdisjoint(theirs))
    assert spaces.of_pool(spaces.texts(here, version), version) == here
