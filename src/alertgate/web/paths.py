"""Paths as the log may show them: without the tokens of links, as who has one can use it. Pure."""

import re

LONGEST_PATH = 200
"""Characters of a path that are logged."""
_TOKEN = re.compile(r"/(a|sign-in)/.*", re.IGNORECASE | re.DOTALL)
"""A link of a message, or one to sign in by; also below a prefix that a proxy should have removed, or with a slash too
many."""


def logged_path(path: str) -> str:
    """Return a path without the token of a link, cut to LONGEST_PATH characters."""
    return _TOKEN.sub(lambda found: f"/{found[1].lower()}/{{token}}", path)[:LONGEST_PATH]
