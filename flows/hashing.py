"""The hash by which Open vSwitch chooses among several ways, so that the simulator chooses alike.

As in ovs-actions(7), ``multipath`` with fields ``symmetric_l3l4`` and algorithm ``hash_threshold``; the hash function
is MurmurHash3's (32 bits, little-endian words), the choice RFC 2992's.
"""

from flows.fields import ETH_TYPE_IPV4, IP_PROTO_TCP

HASHED = ("eth_type", "ipv4_src", "ipv4_dst", "ip_proto", "tcp_src", "tcp_dst")
"""The fields that count."""
_WORD = 0xFFFFFFFF


def way_of(fields: dict[str, int], ways: int) -> int:
    """Return which of so many ways a packet takes, counted from 0; the same in both directions of a connection."""
    return _connection_hash(fields) // (_WORD // ways + 1)


def _connection_hash(fields: dict[str, int]) -> int:
    digest = 0
    if fields.get("eth_type") == ETH_TYPE_IPV4:
        # The words of a packet are in network order, and taken as they are.
        between = fields.get("ipv4_src", 0) ^ fields.get("ipv4_dst", 0)
        digest = _add(digest, int.from_bytes(between.to_bytes(4, "little"), "big"))
    protocol = fields.get("ip_proto", 0)
    digest = _add(digest, protocol)
    if protocol == IP_PROTO_TCP:
        ports = fields.get("tcp_src", 0) ^ fields.get("tcp_dst", 0)
        digest = _add(digest, int.from_bytes(ports.to_bytes(2, "little"), "big"))
    return _finish(digest)


def _add(digest: int, word: int) -> int:
    word = _rotated(word * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD
    return (_rotated(digest ^ word, 13) * 5 + 0xE6546B64) & _WORD


def _finish(digest: int) -> int:
    digest = (digest ^ digest >> 16) * 0x85EBCA6B & _WORD
    digest = (digest ^ digest >> 13) * 0xC2B2AE35 & _WORD
    return digest ^ digest >> 16


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD
