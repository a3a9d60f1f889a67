"""Logging when the output is gone or full."""

import os

from alertgate.telemetry import Stream


def test_lines_for_a_closed_pipe_are_dropped():
    """Once the reader is gone, neither a request that logs nor the end of the process raises an error."""
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


def test_lines_for_a_full_disk_are_dropped():
    """A full disk doesn't fail the request that logs."""
    with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123  (a device, unbuffered)
        stream = Stream(file)
        stream.write(b"dropped\n")
        stream.flush()
