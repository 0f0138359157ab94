"""From JSON text to values, in pieces: others have their turn between two of them.

What is longer than a window is taken apart here: members are read by Python's own reader as long as they are whole
within the window, and the next window begins with the first that is not. If not even the first is whole, it is taken
apart itself.
"""

import json
import re
import sys
from typing import Any, NoReturn

from sdnapp.turns import Turns

_WINDOW = 32 << 10
"""Characters that one member may have that is read at once: in 3 ms at most, whatever it says."""
_BLANK = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_FOLLOWS = re.compile(r"[ \t\n\r]*([,\]}])[ \t\n\r]*")
_CLOSING = {"[": "]", "{": "}"}


class TooDeepError(ValueError):
    """Values are within more others than they may be."""


class TooManyError(ValueError):
    """There are more values than there may be."""


def decoded(text: str, deepest: int, most: int = sys.maxsize, *, may_be_half: bool = True) -> Any:
    """Return the value that a text is.

    Raises TooDeepError where more than ``deepest`` lists and objects are in one another, TooManyError where more than
    ``most`` values are in it, ValueError for what is not JSON (RFC 8259), and for half of a surrogate pair, which is no
    character, unless none ``may_be`` there.
    """
    return _Reading(text, deepest, most, may_be_half).whole()


class _Reading:
    def __init__(self, text: str, deepest: int, most: int, may_be_half: bool) -> None:
        self._text, self._deepest, self._left, self._may_be_half = text, deepest, most, may_be_half
        self._turns = Turns()
        self._is_deep = False

    def whole(self) -> Any:
        """Return the only value."""
        begin = _after_blanks(self._text, 0)
        if len(self._text) <= _WINDOW:
            value, end = _JSON.raw_decode(self._text, begin)
            self._check(value, 0)
        else:
            value, end = self._value(begin, 0)
        if _after_blanks(self._text, end) < len(self._text):
            raise ValueError("something follows")
        if self._is_deep:
            raise TooDeepError
        return value

    def _value(self, at: int, level: int) -> tuple[Any, int]:
        """Return the value at a place, and where it ends; ``level`` others are around it."""
        opening = self._text[at : at + 1]
        if opening in _CLOSING:
            if level == self._deepest:
                raise TooDeepError
            self._count(1)
            return self._members(at, level + 1)
        value, end = _JSON.raw_decode(self._text, at)
        self._check(value, level)
        return value, end

    def _members(self, at: int, level: int) -> tuple[Any, int]:
        """Return the list or object that begins at a place, and where it ends."""
        text, closing = self._text, _CLOSING[self._text[at]]
        found: Any = [] if closing == "]" else {}
        at = _after_blanks(text, at + 1)
        if text[at : at + 1] == closing:
            return found, at + 1
        while True:
            self._turns.give_way()
            taken, is_closed = self._take_whole_ones(found, text[at : at + _WINDOW], closing, level)
            if not taken:
                key, begin = self._key(text, at) if closing == "}" else (None, at)
                value, end = self._value(begin, level)
                self._turns.give_way()
                follows = _FOLLOWS.match(text, end)
                if follows is None:
                    raise ValueError("neither another one follows nor the end")
                _add(found, key, value)
                taken, is_closed = follows.end() - at, _closes(follows, closing)
                if is_closed:
                    taken = follows.end(1) - at
            at = _after_blanks(text, at + taken)
            if is_closed:
                return found, at

    def _take_whole_ones(self, found: Any, window: str, closing: str, level: int) -> tuple[int, bool]:
        """Add what is whole in a window; return how far that goes, and whether it was all there is."""
        place = 0
        while True:
            try:
                key, begin = self._key(window, place) if closing == "}" else (None, place)
                value, end = _JSON.raw_decode(window, begin)
            except (ValueError, RecursionError):
                return place, False
            follows = _FOLLOWS.match(window, end)
            if follows is None:
                return place, False
            self._check(value, level)
            _add(found, key, value)
            if _closes(follows, closing):
                return follows.end(1), True
            place = follows.end()
            self._turns.give_way()

    def _key(self, text: str, at: int) -> tuple[str, int]:
        """Return the name of a member, and where its value begins."""
        if text[at : at + 1] != '"':
            raise ValueError("no name")
        key, end = _JSON.raw_decode(text, at)
        colon = _COLON.match(text, end)
        if colon is None:
            raise ValueError("no colon")
        self._check_characters(key)
        return key, colon.end()

    def _check(self, value: Any, level: int) -> None:
        self._check_characters(value)
        many, is_deep = _measured(value, self._deepest - level)
        self._is_deep = self._is_deep or is_deep
        self._count(many)

    def _check_characters(self, value: Any) -> None:
        if self._may_be_half:
            json.dumps(value, ensure_ascii=False).encode("utf-8")

    def _count(self, many: int) -> None:
        self._left -= many
        if self._left < 0:
            raise TooManyError


def _add(found: Any, key: str | None, value: Any) -> None:
    if key is None:
        found.append(value)
    else:
        found[key] = value


def _closes(follows: re.Match[str], closing: str) -> bool:
    if follows[1] not in (",", closing):
        raise ValueError("the end of something else")
    return follows[1] == closing


def _after_blanks(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None, "the pattern matches nothing at all, too"
    return blank.end()


def _measured(value: Any, deepest: int) -> tuple[int, bool]:
    """Return how many values there are down to a level, and whether there are lists and objects below that."""
    many = 1
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(deepest):
        if not level:
            return many, False
        many += sum(map(len, level))
        parts = (part.values() if isinstance(part, dict) else part for part in level)
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
    return many, bool(level)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_number)
