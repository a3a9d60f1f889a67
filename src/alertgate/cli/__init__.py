"""The command line. The imports of a command take a second, in which signals must not kill `serve`."""

import os
import signal
import sys


def main() -> None:
    """Run the command line; the entry point of the console script."""
    os.umask(0o077)  # whatever it writes is for this user alone, in a container too, whose image can't set this
    if sys.argv[1:2] == ["serve"]:
        hold()
    try:
        from alertgate.cli.run import run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:  # while modules are imported; afterwards Typer does the same
        sys.exit(130)


def hold() -> None:
    """Let a stop end the process with success, and other signals do nothing, until the server handles them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda *_: sys.exit(0))
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
