"""What Twilio is told to say and to ask, in TwiML. Pure.

All that comes from elsewhere is text: no device can write an element, nor what XML can't hold.
"""

import re
from xml.sax.saxutils import escape, quoteattr

from alertgate.notify.channels.base import Message
from alertgate.notify.render.text import shorten

LONGEST = 4000
"""Characters of TwiML within a request."""
LONGEST_SPOKEN = 600
"""Characters that are read aloud at once: about forty seconds."""
PRESS_1 = "Press 1 to take it."
NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
HEAD, TAIL = NOTHING[: -len("</Response>")], "</Response>"

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINK = re.compile(r"https?://\S+")
_ID = re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-f]*\d)[0-9a-f]{12,}(?![0-9A-Za-z])", re.IGNORECASE)
_JOINED = re.compile(r"(?<=[^\W\d])[_/.\-#]+(?=\w)|(?<=[a-zäöü])(?=[A-ZÄÖÜ])|_")
_SHOUTED = re.compile(r"\b[A-Z]{5,}\b")
_SIGNS = (
    (re.compile(r"\s?°\s?C\b"), " degrees Celsius"),
    (re.compile(r"\s?°\s?F\b"), " degrees Fahrenheit"),
    (re.compile(r"\s?°"), " degrees"),
    (re.compile(r"(?<=\d)\s?%"), " percent"),
    (re.compile("(?<![\\w.])[-\u2212](?=\\d)"), "minus "),
    (re.compile(r"(?<=\d) min\b"), " minutes"),
    (re.compile(r"(?<=\d) h\b"), " hours"),
    (re.compile("\\s?[\u2013\u2014]\\s?"), ", "),
    (re.compile(r"[\[\]{}<>|*~^`\\\"\ufffd]"), " "),
)


def speakable(text: str) -> str:
    """Return a text as it is said: without links, signs and joined names; of an id its last four characters."""
    text = _LINK.sub("", text)
    text = _ID.sub(lambda found: "ending in " + " ".join(found[0][-4:].upper()), text)
    for sign, words in _SIGNS:
        text = sign.sub(words, text)
    text = _SHOUTED.sub(lambda found: found[0].lower(), _JOINED.sub(" ", text))
    return " ".join(text.split())


def essence(message: Message) -> str:
    """Return what a call says of a message: its title, and as many whole lines as it takes no minute to read."""
    said = ""
    for line in [message.subject or "", *message.text.split("\n")]:
        sentence = speakable(line).rstrip(".")
        if not sentence:
            continue
        if said and len(said) + len(sentence) > LONGEST_SPOKEN:
            break
        said += f" {shorten(sentence, LONGEST_SPOKEN)}."
    return said.strip()


def call(message: Message, action: str | None) -> str:
    """Return what a call says, twice, and asks; a digit goes to `action`. It is never longer than Twilio takes."""
    said = essence(message)
    while True:
        made = _call(said, action)
        if len(made) <= LONGEST:
            return made
        said = shorten(said, max(len(said) * 3 // 4, 1))


def _call(said: str, action: str | None) -> str:
    ask = f" {PRESS_1}" if action else ""
    twice = (
        f'<Pause length="1"/>{say(f"This is alertgate. {said}{ask}")}<Pause length="1"/>{say(f"Again: {said}{ask}")}'
    )
    if not action:
        return f"{HEAD}{twice}{TAIL}"
    return f"{HEAD}{gather(twice, action)}{say('No key was pressed, so nobody has it yet.')}{TAIL}"


def gather(said: str, action: str) -> str:
    """Return what takes one digit while something is said, and for ten seconds after it."""
    return f'<Gather numDigits="1" timeout="10" action={quoteattr(action)} method="POST">{said}</Gather>'


def say(text: str) -> str:
    """Return what reads a text aloud."""
    return f"<Say>{_escaped(text)}</Say>"


def asked_again(said: str, action: str) -> str:
    """Return the answer to a digit that means nothing."""
    return f"{HEAD}{gather(say(said), action)}{TAIL}"


def spoken(text: str) -> str:
    """Return an answer in a call, which ends with it."""
    return f"{HEAD}{say(text)}{TAIL}"


def written(text: str) -> str:
    """Return an answer to a text message; none if there is nothing to say."""
    return f"{HEAD}<Message>{_escaped(text)}</Message>{TAIL}" if text else NOTHING


def _escaped(text: str) -> str:
    return escape(_NOT_XML.sub(" ", text))
