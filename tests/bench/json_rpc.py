"""What programs of Open vSwitch and OVN are asked by: their databases and their control sockets."""

import json
import socket
from typing import Any


def call(end: socket.socket, request: Any) -> Any:
    """Send a JSON-RPC request to an Open vSwitch program and return the result. Raises RuntimeError with the error."""
    end.sendall(json.dumps(request).encode())
    text = b""
    while received := end.recv(1 << 20):
        text += received
        if text.endswith(b"}"):
            try:
                answer = json.loads(text)
            except ValueError:
                continue
            if answer.get("error"):
                raise RuntimeError(str(answer["error"]))
            return answer["result"]
    raise RuntimeError("the server has hung up")
