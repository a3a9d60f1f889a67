"""Paths as the log may show them: who has the link of a message can answer it, and so its token stays out. Pure."""

import re

LONGEST_PATH = 200
"""Characters of a path that are logged."""
_TOKEN = re.compile(r"/a/.*", re.IGNORECASE | re.DOTALL)
"""A link, also below a prefix that a proxy should have removed, or with a slash too many."""


def logged_path(path: str) -> str:
    """Return a path without the token of a link, cut to LONGEST_PATH characters."""
    return _TOKEN.sub("/a/{token}", path)[:LONGEST_PATH]
