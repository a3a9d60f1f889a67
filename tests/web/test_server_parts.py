"""Parts of the server that a client can't tell from outside."""

import asyncio

from alertgate.web.server import OneWrite


class Written(asyncio.Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True


def test_an_answer_leaves_in_one_piece():
    """Its head waits for the first piece of its body; more of the body goes as it comes."""
    below = Written()
    above = OneWrite(below)
    for piece in (b"HTTP/1.1 202 Accepted\r\n\r\n", b"body", b"more", b"HTTP/1.1 204 No Content\r\n\r\n", b""):
        above.write(piece)
    assert below.pieces == [b"HTTP/1.1 202 Accepted\r\n\r\nbody", b"more", b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_what_asks_for_the_body_waits_for_nothing():
    """`100 Continue` is no answer's head: the caller sends nothing until it is there."""
    below = Written()
    OneWrite(below).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert below.pieces == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_leaves_at_the_end():
    """An answer that breaks off after its head is sent as far as it came."""
    below = Written()
    above = OneWrite(below)
    above.write(b"HTTP/1.1 200 OK\r\n\r\n")
    above.close()
    assert (below.pieces, below.closed) == ([b"HTTP/1.1 200 OK\r\n\r\n"], True)
