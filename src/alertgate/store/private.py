"""Directories and files for their owner alone, also where they were there before and open."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from alertgate.errors import StoreUnavailable

FOR_OTHERS = 0o077
OURS = ("alertgate", "outbox", "lost+found")
"""How the names in a directory begin that is alertgate's alone."""


def make_private_dir(path: Path) -> None:
    """Make DATA_DIR so that only its owner can enter, or close one that is there. Raises StoreUnavailable."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(f"no permission to write there as user {os.getuid()}")
    except OSError as error:
        raise StoreUnavailable(
            f"DATA_DIR {path} can't be used: {error}. Nothing can be stored; make it writable or set another DATA_DIR."
        ) from None
    with suppress(OSError):  # `open_to_others` tells of what couldn't be closed
        path.chmod(_wanted(path))


def make_private(file: Path) -> None:
    """Make a file readable for its owner only; SQLite gives its database's mode to the files beside it.

    Raises StoreUnavailable.
    """
    try:
        if not file.exists():
            file.touch(mode=0o600)
        elif file.stat().st_mode & FOR_OTHERS and file.stat().st_uid == os.getuid():
            file.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"{file} can't be opened: {error}. Make this user its owner.") from None


def open_to_others(path: Path) -> str | None:
    """Return what to do about a DATA_DIR that others can enter, and that a start doesn't close; None if all is well."""
    try:
        others = _wanted(path) & FOR_OTHERS
    except OSError:
        return None  # it isn't there yet, or the store tells that it can't be used
    if not others:
        return None
    can = "write in" if others & 0o022 else "enter"
    return (
        f"{path} is open: other users of this machine can {can} it, and a start doesn't close it: it isn't this user's "
        "or holds what isn't alertgate's. Set DATA_DIR to a directory of its own, or make it this user's with mode 0700"
    )


def _wanted(path: Path) -> int:
    """Return the mode that a directory is to have.

    One that isn't ours keeps its mode. So does one like /tmp, and one that holds other things as well may still be read
    by others, for whom closing /srv would be worse; but nobody else may put files into it.
    """
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.getuid() or mode & stat.S_ISVTX or not mode & FOR_OTHERS:
        return mode
    is_shared = any(not each.name.startswith(OURS) for each in path.iterdir())
    return mode & ~0o022 if is_shared else mode & ~FOR_OTHERS
