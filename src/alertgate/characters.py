"""Invisible characters: which of them deceive and which are part of words, and where a text may be cut. Pure.

Persian and Hindi words and emoji of several parts hold joiners (U+200C, U+200D), Thai and Khmer have zero-width spaces
between words, and Hebrew and Arabic texts place their punctuation by direction marks (U+061C, U+200E, U+200F). A
direction mark acts like one more letter of that direction, so it can't turn other letters around. The embeddings,
overrides and isolates can: text in them reads as something that was never written (CVE-2021-42574).
"""

import re
import unicodedata
from collections.abc import Callable

ZERO_WIDTH_JOINER = "\u200d"
JOINERS = "\u200c" + ZERO_WIDTH_JOINER
"""Zero-width non-joiner and joiner."""
IN_WORDS = frozenset(JOINERS + "\u061c\u200b\u200e\u200f\u2060")
"""Invisible characters that writing needs. Python calls them unprintable; it calls variation selectors printable."""

_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""The flag of a region such as Scotland, spelled in invisible tags (UTS 51, ED-14a). Other tags are hidden text."""
_DECEPTIVE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls except tab and line feed
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides and isolates
    "\u2065\u206a-\u206f\ufeff\ufff9-\ufffc\ufffe\uffff"  # formats that Unicode discourages, hidden annotations, none
    "\ud800-\udfff"  # surrogates
    "\U000e0000-\U000e007f"  # tags
)
_IN_TEXT = re.compile(f"({_FLAG})|[{_DECEPTIVE}]")
_IN_LINE = re.compile(f"({_FLAG})|[{_DECEPTIVE}\t\n\u2028\u2029]")


def replace_deceptive(text: str, by: Callable[[str], str]) -> str:
    """Return text with each control or deceptive character replaced by what `by` returns for it.

    Line feeds and tabs stay, and so do the line separators U+2028 and U+2029.
    """
    return _IN_TEXT.sub(lambda found: found[1] or by(found[0]), text)


def escaped(line: str) -> str:
    """Return a line for a terminal, with the characters escaped that would end, control or reorder it."""
    return _IN_LINE.sub(lambda found: found[1] or found[0].encode("unicode_escape").decode("ascii"), line)


def is_shown(text: str) -> bool:
    """Return whether a name can be seen as it is: something in it is visible, and all that isn't is part of words."""
    rest = re.sub(_FLAG, "x", text)
    return any(map(_is_ink, rest)) and all(character.isprintable() or character in IN_WORDS for character in rest)


def _is_ink(character: str) -> bool:
    return character.isprintable() and not character.isspace()


FARTHEST = 32
"""How far before its limit a text is cut, so that what a reader sees as one character stays whole."""


def cut(text: str, longest: int) -> str:
    """Return at most the first `longest` characters, ending neither within a character as readers see it nor in space.

    Those are letters with their marks, emoji of several parts, flags (UAX 29). One of more than FARTHEST parts is cut.
    """
    if len(text) <= longest:
        return text
    first = max(longest - FARTHEST, 0)
    end = next((end for end in range(longest, first, -1) if not _belongs(text, end)), longest if first else 0)
    while end and (text[end - 1].isspace() or text[end - 1] in JOINERS):
        end -= 1
    return text[:end]


def _belongs(text: str, index: int) -> bool:
    """Return whether the character at an index is a part of what the one before it begins."""
    before, character = text[index - 1], text[index]
    if ZERO_WIDTH_JOINER in (before, character) or unicodedata.combining(before) == VIRAMA:
        return True
    if _is_regional(before) and _is_regional(character):
        regional = index - next((start for start in range(index, 0, -1) if not _is_regional(text[start - 1])), 0)
        return regional % 2 == 1  # two make a flag
    return unicodedata.category(character).startswith("M") or bool(_PART.match(character))


VIRAMA = 9
"""The combining class of what joins two consonants of the scripts of India."""
_PART = re.compile("[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\u1160-\u11ff]")
"""Skin tones, tags, and the vowels and final consonants of decomposed Korean."""


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
