"""Cleaning and formatting of text from devices."""

import base64
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.render.text import (
    GSM7,
    GSM7_DOUBLE,
    MORE,
    Blob,
    clean,
    data_url,
    gsm7,
    one_line,
    rows,
    say,
    shorten,
)
from tests.builders import for_any

any_text = st.text(st.characters(exclude_categories=()))
media_types = st.from_regex(r"[a-z]{1,8}/[a-z0-9.+-]{1,12}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
)

# The explicit ones of Unicode Standard Annex 9, 2.
BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _septets(text: str) -> int:
    return sum(2 if char in GSM7_DOUBLE else 1 for char in text)


@pytest.mark.parametrize("char", BIDI_CONTROLS, ids=ascii)
def test_text_cannot_change_its_direction(char):
    """A mark that reorders what follows is shown as a replacement character."""
    assert clean(f"pay {char}001") == "pay \ufffd001"


@pytest.mark.parametrize(
    "char",
    [
        "\x00",
        "\x07",
        "\x08",
        "\x0b",
        "\x0c",
        "\x1b",
        "\x7f",
        "\x85",
        "\x9f",
        "\ud800",
        chr(0xDFFF),
        "\ufeff",
        "\u206a",
        "\ufffe",
        "\uffff",
        "\U000e0001",
        "\U000e0041",
    ],
    ids=ascii,
)
def test_invisible_characters_are_shown_as_such(char):
    """Control characters, surrogates and hidden characters are replaced by a visible one."""
    assert clean(f"a{char}b") == "a\ufffdb"


def test_line_breaks_and_tabs_stay():
    """Lines stay lines, whichever line ending they have."""
    assert clean("a\r\nb\rc\n\td") == "a\nb\nc\n\td"


@pytest.mark.parametrize("text", ["Tür offen \u2013 5 °C", "温度 21", "🔥", "مرحبا", "a\u00a0b"])
def test_readable_text_stays(text):
    """Every script, accent and emoji is kept."""
    assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 at home",
        "\u2764\ufe0f\u200d\U0001f525",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "ទ្វារ\u200bបើក",
        "דלת\u200f (2)",
        "باب\u061c ‎12",
        "5\u2060–\u20606 °C",
    ],
    ids=["Persian", "Hindi", "family", "variation", "Scotland", "Khmer", "Hebrew", "Arabic", "word joiner"],
)
def test_what_words_and_emoji_are_made_of_stays(text):
    """Invisible as it is, a word without it is another word, and an emoji falls apart."""
    assert (clean(text), one_line(text, 80)) == (text, text)


def test_tags_are_kept_in_a_flag_alone():
    """Elsewhere they spell a text that nobody sees."""
    hidden = "ok" + "".join(chr(0xE0000 + ord(letter)) for letter in "reset")
    assert clean(hidden) == "ok" + "\ufffd" * 5
    assert clean("\U0001f3f4" + hidden) == "\U0001f3f4ok" + "\ufffd" * 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nBcc: b", "a Bcc: b"),
        ("a\nb\rc", "a b c"),
        ("  a \t  b  ", "a b"),
        ("a\u2028b\u2029c", "a b c"),
        ("a\x0bb\x85c", "a\ufffdb\ufffdc"),
        ("", ""),
        ("\n", ""),
    ],
)
def test_one_line_is_one_line(text, line):
    """Every kind of line break becomes a space."""
    assert one_line(text, 100) == line


@pytest.mark.parametrize(
    ("text", "longest", "short"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("", 5, ""),
    ],
)
def test_cut_text_ends_in_an_ellipsis(text, longest, short):
    """Cut text is at most as long as asked for, with its ellipsis."""
    assert shorten(text, longest) == short


@pytest.mark.parametrize(
    ("text", "longest", "short"),
    [
        ("go \U0001f468\u200d\U0001f469\u200d\U0001f467 now", 6, "go…"),
        ("go \U0001f44d\U0001f3fd now", 5, "go…"),
        ("go \u2764\ufe0f now", 5, "go…"),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 x", 4, "\U0001f1e9\U0001f1ea…"),
        ("می\u200cخواهم", 4, "می…"),
        ("a\u200d b c", 4, "a…"),
        ("Ku\u0308che", 3, "K…"),
        ("दक्षिण", 4, "द…"),
    ],
    ids=["family", "skin tone", "variation", "flags", "non-joiner", "joiner and space", "accent", "conjunct"],
)
def test_a_cut_leaves_no_half_of_a_character(text, longest, short):
    """What a reader sees as one character is shown whole or not at all, and nothing dangles before the ellipsis."""
    assert shorten(text, longest) == short


def test_a_character_without_end_is_cut_all_the_same():
    """Marks on marks can't make a text vanish, nor one longer than asked for."""
    text = "water " * 5 + "i" + "\u0301" * 500
    assert shorten(text, 100) == text[:99] + "…"


@for_any
@given(
    st.text(st.sampled_from("a \u200c\u200d\ufe0f\u0301\U0001f468\U0001f3fd\U0001f1e9\u094d\u0915"), min_size=40),
    st.integers(1, 39),
)
def test_no_cut_dangles(text, longest):
    """Whatever is joined to what, a cut text fits, begins as the whole, and doesn't end in a joiner or a space."""
    short = shorten(text, longest)
    assert len(short) <= longest
    assert text.startswith(short[:-1])
    assert short[-1] == "…"
    assert short[-2:-1] not in set(" \u200c\u200d")


@for_any
@given(any_text, st.integers(1, 200))
def test_one_line_fits_any_header(text, longest):
    """One line has no line break, no invisible character, and at most the given length."""
    line = one_line(text, longest)
    assert len(line) <= longest
    assert len(line.splitlines()) <= 1
    assert {unicodedata.category(char) for char in line} & {"Cc", "Cs"} == set()
    assert clean(line) == line
    assert one_line(line, longest) == line


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain text", "plain text"),
        ("@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", "@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà"),
        ("^{}\\[~]|€", "^{}\\[~]|€"),
        ("Tür “offen” \u2013 jetzt…", 'Tür "offen" - jetzt...'),
        ("naïve çédille", "naive cédille"),
        ("Москва", "Moskva"),
        ("a\r\n\tb", "a b"),
        ("`tick`", "tick"),
        ("a\x00\u202eb", "a??b"),
        ("  a  ", "a"),
        ("", ""),
    ],
)
def test_text_messages_are_transliterated(text, plain):
    """GSM-7 characters stay; others are transliterated."""
    assert gsm7(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("x" * 160, "x" * 160),
        ("x" * 161, "x" * 157 + "..."),
        ("€" * 80, "€" * 80),
        ("€" * 81, "€" * 78 + "..."),
        ("x" * 159 + "€", "x" * 157 + "..."),
        ("x" * 158 + "€", "x" * 158 + "€"),
        ("x" * 156 + " " + "y" * 9, "x" * 156 + "..."),
        ("ж" * 160, "zh" * 78 + "z..."),
    ],
    ids=["160", "161", "80 euros", "81 euros", "euro over", "euro within", "no space before the dots", "expands"],
)
def test_a_text_message_is_one_segment(text, plain):
    """Text beyond 160 septets is cut, and ends in dots."""
    assert gsm7(text) == plain


@for_any
@given(any_text | st.text(st.sampled_from("x€{ж😀 \n"), min_size=60), st.integers(4, 160))
def test_any_text_fits_one_segment(text, septets):
    """Every text becomes one line of GSM-7 characters, within the given septets."""
    plain = gsm7(text, septets)
    assert _septets(plain) <= septets
    assert set(plain) <= (GSM7 | GSM7_DOUBLE) - {"\n", "\r"}


@pytest.mark.parametrize(
    ("value", "blob"),
    [
        ("data:image/png;base64,iVBO", Blob("image/png", b"\x89PN")),
        ("DATA:Image/PNG;BASE64,iVBO", Blob("image/png", b"\x89PN")),
        ("data:image/png;name=a.png;base64,iVBO", Blob("image/png", b"\x89PN")),
        ("data:text/plain;charset=utf-8,Hello%2C%20World!", Blob("text/plain", b"Hello, World!")),
        ("data:,a%20b", Blob("text/plain", b"a b")),
        ("data:application/octet-stream;base64,", Blob("application/octet-stream", b"")),
        ("data:image/png;base64,not base64", None),
        ("data:image/png;base64,iVB", None),
        ("data:image/png;base64,é", None),
        ("data:image/png;base64", None),
        ("see data:image/png;base64,iVBO", None),
        ("data: none", None),
        ("", None),
        (None, None),
        (7, None),
        (["data:,x"], None),
    ],
)
def test_data_urls_are_decoded(value, blob):
    """Only a complete, well-formed data: URL is decoded."""
    assert data_url(value) == blob


@for_any
@given(media_types, st.binary())
def test_any_content_survives_a_data_url(media_type, content):
    """Content survives base64 and percent-encoding unchanged."""
    encoded = base64.b64encode(content).decode()
    assert data_url(f"data:{media_type};base64,{encoded}") == Blob(media_type, content)
    assert data_url(f"data:{media_type},{quote(content)}") == Blob(media_type, content)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (21.5, "21.5"),
        ("text", "text"),
        ("", ""),
        ({}, "{}"),
        ([], "[]"),
        ("data:image/jpeg;base64," + "AAAA" * 1000, "image/jpeg, 3,000 bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_values_are_readable_text(value, said):
    """Scalars are shown as words, and binary data as its type and size."""
    assert say(value) == said


@pytest.mark.parametrize(
    ("value", "table"),
    [
        ({"t": 21.5, "ok": True}, [("t", "21.5"), ("ok", "yes")]),
        ({"a": {"b": {"c": 1}}}, [("a.b.c", "1")]),
        ({"a": [1, {"b": 2}]}, [("a[0]", "1"), ("a[1].b", "2")]),
        ([[1], 2], [("[0][0]", "1"), ("[1]", "2")]),
        ({"a": {}, "b": []}, [("a", "{}"), ("b", "[]")]),
        ("text", [("data", "text")]),
        (None, [("data", "-")]),
        ({}, [("data", "{}")]),
        ({"a\r\nb": "c\r\nd\x00"}, [("a b", "c\nd\ufffd")]),
        ({"n" * 81: "x"}, [("n" * 79 + "…", "x")]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_values_become_rows(value, table):
    """A JSON value is flattened to dotted names with clean text."""
    assert rows(value) == table


def test_a_long_table_is_cut_and_says_so():
    """A table has at most so many rows, and a last one that says that rows are missing."""
    table = rows({str(number): number for number in range(1000)}, most=3)
    assert table == [("0", "0"), ("1", "1"), ("2", "2"), ("…", "more was sent; the API has it all")]


@pytest.mark.parametrize(
    ("value", "table"),
    [
        ({"a": "x" * 9, "b": "y" * 9, "c": "z"}, [("a", "x" * 9), ("b", "y" * 9), MORE]),
        ({"a": "x" * 9, "b": "y" * 9}, [("a", "x" * 9), ("b", "y" * 9)]),
        ({"a": "x" * 90, "b": "y"}, [("a", "x" * 19 + "…"), MORE]),
        ({"a" * 90: "x"}, [("a" * 79 + "…", "x")]),
    ],
    ids=["more", "just enough", "one is too much", "always one"],
)
def test_a_table_has_limited_room(value, table):
    """Rows end when the room is used up, but there is always one."""
    assert rows(value, room=20) == table


def test_a_full_table_is_not_called_cut():
    """If all rows fit, no last row says otherwise."""
    assert rows({"a": 1, "b": 2}, most=2) == [("a", "1"), ("b", "2")]


def test_a_long_value_is_cut():
    """A single value doesn't fill the mail."""
    assert rows({"a": "x" * 501}) == [("a", "x" * 499 + "…")]


@for_any
@given(json_values)
def test_any_value_makes_a_small_clean_table(value):
    """Whatever a device sends, the table has a bounded size, one-line names, and no invisible characters."""
    table = rows(value)
    assert 1 <= len(table) <= 41
    for name, text in table:
        assert (len(name) <= 80, len(name.splitlines()) <= 1, len(text) <= 500) == (True, True, True)
        assert (clean(name), clean(text)) == (name, text)
