"""Take a login's secrets out of what a server says: some repeat them, in other letters, in base64, or in part. Pure."""

import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote_plus

from alertgate.addresses import mask
from alertgate.notify.channels.base import Outcome, Transient

Hide = Callable[[str], str]
"""Returns a text without secrets."""

PIECE = 8
"""Characters of a secret in a row that are never shown; a server may cut what it repeats. A shorter secret is hidden
where it stands alone."""
_HIDDEN = "***"


class Secrets:
    """What a login is made with: passwords and tokens, the name of the user, and what is said to log in.

    A user name is no secret, so its first character and its domain stay to be seen.
    """

    def __init__(self, secrets: Collection[str], user: str = "", said: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in (secret, quote_plus(secret), *_in_base64(secret))}
        forms |= {b64encode(whole.encode()).decode().rstrip("=") for whole in (user, *said)}
        forms |= set(_in_base64(user))
        forms |= {form for secret in secrets if secret for form in (secret[::-1], secret.encode().hex())}
        forms = {_folded(form) for form in forms}
        self._pieces = {form[at : at + PIECE] for form in forms for at in range(len(form) - PIECE + 1)}
        self._words = _alone({form for form in forms if 1 < len(form) < PIECE})
        self._user = _alone({user} if user else set())
        self._shown_user = mask(user) if user else ""

    def hide(self, text: str) -> str:
        """Return a text without secrets. Whoever cuts it must do so afterwards."""
        text = "".join(self._without_pieces(text))
        text = self._words.sub(_HIDDEN, text)
        return self._user.sub(self._shown_user, text)

    def _without_pieces(self, text: str) -> Iterator[str]:
        folded = _folded(text)
        begin = end = 0  # of what is shown next, and of the secret before it
        for at in range(len(text) - PIECE + 1):
            if folded[at : at + PIECE] not in self._pieces:
                continue
            if at > end or not end:
                yield text[begin:at] + _HIDDEN
            begin = end = at + PIECE
        yield text[begin:]


def without(outcome: Outcome, hide: Hide) -> Outcome:
    """Return an outcome whose server's words hold no secret."""
    hidden = replace(outcome, reply=hide(outcome.reply))
    if isinstance(hidden, Transient) and hidden.if_alone:
        return replace(hidden, if_alone=replace(hidden.if_alone, reply=hidden.reply))
    return hidden


def _folded(text: str) -> str:
    """Return a text in small letters, each where it stood: a server may repeat a secret in others."""
    return "".join(letter if len(small := letter.lower()) != 1 else small for letter in text)


def _in_base64(secret: str) -> Iterator[str]:
    """Yield the letters of base64 that are of this secret alone, for each place at which it may begin in a text."""
    raw = secret.encode()
    mixed = (0, 2, 3)  # letters that a neighbour of so many bytes has a part in
    for before in range(3):
        after = -(before + len(raw)) % 3
        coded = b64encode(bytes(before) + raw + bytes(after)).decode()
        yield coded[mixed[before] : len(coded) - mixed[after]]


def _alone(words: set[str]) -> re.Pattern[str]:
    """Return a pattern for these words, in any case, where no letter, digit or part of a host's name touches them."""
    some = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w.+/@-])(?:{some})(?![\w+/@-]|\.\w)" if some else r"(?!)", re.IGNORECASE)
