"""The log, where nobody reads it."""

import os

from alertgate.telemetry import Stream


def test_a_log_pipe_that_is_closed_is_let_go():
    """Once nobody reads, lines go nowhere: no error for the request that wrote one, and none at the end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        stream = Stream(file)
        stream.write(b"seen\n")
        stream.flush()
        assert os.read(reading, 100) == b"seen\n"
        os.close(reading)
        for _ in range(3):
            stream.write(b"unseen\n")
            stream.flush()


def test_a_log_on_a_full_disk_drops_lines():
    """A disk that is full keeps no request from its answer."""
    with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123  (a device, unbuffered)
        stream = Stream(file)
        stream.write(b"dropped\n")
        stream.flush()
