"""Runs a command. Errors are printed as sentences; the exit code is 2 for invalid settings or policies, else 1."""

import errno
import gc
import os
import sys
from pathlib import Path

import typer

from alertgate.characters import escaped
from alertgate.errors import AlertgateError, ConfigError, PolicyInvalid

DEFAULT_ENV_FILE = Path(".env")  # as settings_load has it, whose import takes long

OUTPUT_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a file that the output goes to. alertgate's own files are looked after where they are written."""


def run() -> None:
    """Run the command that the arguments name."""
    try:
        if sys.argv[1:2] == ["healthcheck"]:  # importing the other commands takes ten times as long as running this one
            from alertgate.cli.health import app  # noqa: PLC0415

            app(sys.argv[2:], prog_name="alertgate healthcheck")
        else:
            gc.disable()  # imports make hardly any garbage, and a start is a fifth faster without the search for it
            from alertgate.cli.main import app  # noqa: PLC0415

            gc.enable()
            app(prog_name="alertgate")
    except PolicyInvalid as error:
        typer.echo("The policy can't be used:", err=True)
        for problem in error.problems:
            typer.echo(escaped(f"  - {problem}"), err=True)
        typer.echo(escaped(f"Fix them in {error.file}; `alertgate check` reads it again."), err=True)
        sys.exit(2)
    except ConfigError as error:
        typer.echo("The settings can't be used:", err=True)
        for problem in error.problems:
            typer.echo(escaped(f"  - {problem}"), err=True)
        has_file = DEFAULT_ENV_FILE.exists() or any(each.startswith("--env-file") for each in sys.argv)
        start = "" if has_file else "; `alertgate init` writes a .env to start from"
        typer.echo(f"Fix them in the environment or in .env{start}.", err=True)
        sys.exit(2)
    except AlertgateError as error:
        for line in str(error).split("\n"):
            typer.echo(escaped(line), err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in OUTPUT_FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would fail once more at its end
        typer.echo(f"The output can't be written: {error.strerror}. Free some space, then run it again.", err=True)
        sys.exit(1)
