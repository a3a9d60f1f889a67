"""Commands as processes that are forks of one that has imported alertgate: the imports take longer than the commands.

Run as a program, this is that process: for each request on its standard input, a socket, it forks a process that does
what `python -m alertgate` does, in the directory and with the environment of the request.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import alertgate

LONGEST = 1 << 16
"""Bytes of a request."""


def run(arguments: list[str], *, cwd: Path, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does, without input."""
    request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env}).encode()
    assert len(request) < LONGEST
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        mine, its = os.pipe()
        with os.fdopen(mine, encoding="ascii") as says:
            socket.send_fds(_parent(), [request], [out.fileno(), err.fileno(), its])
            os.close(its)
            pid = int(says.readline())
            if not select.select([says], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout)
            code = int(says.readline())
        return subprocess.CompletedProcess(arguments, code, _text(out), _text(err))


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


@cache
def _parent() -> socket.socket:
    """Start the process that is forked; it ends with this one, whose end of the socket is closed then."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        child = subprocess.Popen([sys.executable, __file__], stdin=its, env={"PATH": os.environ["PATH"]})

    def end() -> None:
        ours.close()
        child.wait()

    atexit.register(end)
    return ours


def main() -> None:
    """Import everything, then fork for each request; each fork returns here to run its command."""
    from alertgate.cli import main as program  # noqa: PLC0415  (where a module that is imported next has its name)

    for module in pkgutil.walk_packages(alertgate.__path__, "alertgate."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    gc.freeze()  # nothing that is imported goes away: each fork would look through all of it, and copy it by that
    command = _forked(socket.socket(fileno=0))
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ |= command["env"]
    time.tzset()
    sys.argv = ["alertgate", *command["arguments"]]
    program()


def _forked(requests: socket.socket) -> dict[str, Any]:
    """Return a request, in a fork whose standard streams are those that came with it."""
    while True:
        request, files, _, _ = socket.recv_fds(requests, LONGEST, 3)
        _reap()
        if not request:
            os._exit(0)
        if os.fork():
            for file in files:
                os.close(file)
            continue
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # and with that ends what requests came by
        *streams, result = files
        if pid := os.fork():
            os.write(result, f"{pid}\n".encode())
            _, status = os.waitpid(pid, 0)
            os.write(result, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        os.close(result)
        for number, file in enumerate(streams, 1):
            os.dup2(file, number)
            os.close(file)
        requests.detach()
        return json.loads(request)


def _reap() -> None:
    """End those who have waited for a command, and don't any more."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


if __name__ == "__main__":
    main()
