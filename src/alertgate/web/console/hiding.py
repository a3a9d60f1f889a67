"""The addresses of contacts: who has API_TOKEN sees them whole where they prove something, and nobody else. Pure."""

from collections.abc import Callable, Iterable

from alertgate.addresses import mask, mask_all
from alertgate.model import Notification
from alertgate.policy.people import SECRET_PREFIX, shown_address

Hide = Callable[[str], str]
"""Returns a text as its reader may see it."""


def hider(told: Iterable[Notification], *, is_operator: bool) -> Hide:
    """Return what masks the addresses of notifications in a text, and all mail addresses, as servers repeat them."""
    if is_operator:
        return str
    shown = {shown_address(each.channel, each.address) for each in told}
    known = sorted((each for each in shown if "***" not in each and not each.startswith(SECRET_PREFIX)), key=len)

    def hide(text: str) -> str:
        for each in reversed(known):  # the longest first, as one may be a part of another
            text = text.replace(each, mask(each))
        return mask_all(text)

    return hide
