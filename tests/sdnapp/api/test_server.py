import socket

from sdnapp.api.server import listen


def test_the_end_of_a_long_answer_does_not_wait_for_the_client_to_acknowledge_its_beginning() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
