import socket

from sdnapp.app import listen_for_api


def test_the_end_of_a_long_answer_does_not_wait_for_the_client_to_acknowledge_its_beginning() -> None:
    with listen_for_api("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
