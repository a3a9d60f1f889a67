"""The command line."""

from alertgate.cli.main import main

__all__ = ["main"]
