"""A bitmask cover is exactly the range, and small."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.port_ranges import cover

ends = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(sorted)


@given(ends)
@example([0, 0xFFFF])
@example([1, 0xFFFF])
@example([1, 0xFFFE])
def test_each_number_of_the_range_is_matched_once_and_no_other(range_of: list[int]) -> None:
    first, last = range_of
    found = cover(first, last)
    blocks = [range(value, value + 0x10000 - mask) for value, mask in found]
    assert [number for block in blocks for number in block] == list(range(first, last + 1))
    for value, mask in found:
        assert value & mask == value and (0x10000 - mask).bit_count() == 1, "the bits that count stand together"
    assert len(found) <= 30


def test_known_covers() -> None:
    assert cover(80, 80) == [(80, 0xFFFF)]
    assert cover(0, 0xFFFF) == [(0, 0)]
    assert cover(8000, 8191) == [(8000, 0xFFC0), (8064, 0xFF80)]
    assert len(cover(1, 0xFFFE)) == 30


@pytest.mark.parametrize("range_of", [(2, 1), (-1, 5), (0, 0x10000)])
def test_what_is_no_range_is_refused(range_of: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no range of 16-bit numbers"):
        cover(*range_of)
