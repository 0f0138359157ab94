"""Looks at the messages of switches before os-ken parses them.

os-ken parses every message into objects before an application sees it, at some 200 us an entry of a flow-stats reply:
read-back of 100,000 flows would hold the loop for 20 seconds. So its parser of OpenFlow 1.3 gets a first look in front.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from os_ken.ofproto import ofproto_parser

from sdnapp.openflow.encoding import VERSION

if TYPE_CHECKING:
    from os_ken.controller.controller import Datapath

FirstLook = Callable[["Datapath", int, int, bytes], bool]
"""Called with the connection, and type, transaction id and bytes of a message. What it returns True for is done with;
all else goes the usual way: parser, events, handlers of os-ken and of other applications."""


def tap(types: frozenset[int], first_look: FirstLook) -> None:
    """Have ``first_look`` called for every message of these types, in the green thread that reads the connection."""
    parse = ofproto_parser._MSG_PARSERS[VERSION]

    def look_then_parse(datapath: "Datapath", version: int, kind: int, *rest: Any) -> Any:
        _, xid, data = rest
        if kind in types and first_look(datapath, kind, xid, bytes(data)):
            return None
        return parse(datapath, version, kind, *rest)

    ofproto_parser.register_msg_parser(VERSION)(look_then_parse)
