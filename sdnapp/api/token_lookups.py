"""How often one host may have Keystone asked about tokens that it does not know: before that, nobody is known at all.

A token that Keystone knew once is always asked about; so is one that it does not know, but only so often for each
host, and for some seconds the answer is remembered. Tokens are remembered as digests.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sdnapp.admission import host_of
from sdnapp.api.token_buckets import TokenBuckets

_HEADERS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN", "HTTP_X_SERVICE_TOKEN")
"""Whatever the middleware asks Keystone about."""
_UNKNOWN_FOR = 10.0
"""Seconds for which an unknown token stays so: Keystone may give it out meanwhile, though nobody guesses one."""
_MANY = 10_000
"""Tokens that are remembered, of each kind."""


@dataclass(frozen=True)
class Lookup:
    """What is to be done about the tokens of one request: let it ``wait`` seconds, refuse it at once, or ask Keystone.

    ``digest`` is None where there is nothing to learn from the answer. ``counted``: it took one of its host's tries.
    """

    digest: bytes | None = None
    host: str = ""
    wait: int = 0
    refused: bool = False
    counted: bool = False


class TokenLookups:
    """Lets each host try ``rate`` unknown tokens a second, in the long run; 0 is no limit. ``clock`` gives seconds."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets = TokenBuckets(rate, clock)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, environ: Mapping[str, Any]) -> Lookup:
        """Say what is to be done about a request."""
        tokens = [environ.get(name, "") for name in _HEADERS]
        if not any(tokens):
            return Lookup()
        if not all(token.isascii() and token.isprintable() for token in tokens):
            # Keystone gives out none such, and some servers before it refuse the question.
            return Lookup(refused=True)
        digest = hashlib.sha256("\n".join(tokens).encode(errors="surrogateescape")).digest()
        host = host_of(environ.get("REMOTE_ADDR", ""))
        if digest in self._known:
            return Lookup(digest, host)
        if self._unknown.get(digest, 0.0) > self._clock():
            return Lookup(refused=True)
        wait = self._buckets.take(host)
        return Lookup(None, host, wait) if wait else Lookup(digest, host, counted=True)

    def settle(self, lookup: Lookup, is_known: bool | None) -> None:
        """Remember what Keystone said; None: it said nothing."""
        if lookup.counted and is_known is not False:
            self._buckets.give_back(lookup.host)
        if lookup.digest is None or is_known is None:
            return
        if is_known:
            _remember(self._known, lookup.digest, None)
        else:
            self._known.pop(lookup.digest, None)
            _remember(self._unknown, lookup.digest, self._clock() + _UNKNOWN_FOR)


def without_tokens(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as if it had come without tokens."""
    return {name: value for name, value in environ.items() if name not in _HEADERS}


def _remember(memory: OrderedDict[bytes, Any], digest: bytes, value: Any) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > _MANY:
        memory.popitem(last=False)
