"""What pages show of texts and lists that may be long, or that others wrote. Pure."""

from collections.abc import Sequence

from alertgate.addresses import mask_all
from alertgate.notify.course import listed
from alertgate.notify.render.text import one_line

LONGEST_NAME = 60


def quoted(reply: str, longest: int) -> str:
    """Return what a server or service said, with addresses masked."""
    return one_line(mask_all(reply), longest)


def first_names(names: Sequence[str], most: int) -> str:
    """Return the first names as a sentence has them, and how many more there are; nobody if there is none."""
    shown = tuple(one_line(name, LONGEST_NAME) for name in names[:most])
    more = len(names) - len(shown)
    return f"{', '.join(shown)} and {more} more" if more else listed(shown) if shown else "nobody"
