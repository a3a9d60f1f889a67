"""How the data of devices is shown: lists, binary data, and text that a template has escaped."""

import base64
import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Picture
from alertgate.notify.render.message import render
from alertgate.notify.render.text import BINARY, MORE, Blob, blob, rows, say, unescaped
from tests.builders import alert, for_any, notification
from tests.notify.test_render import PNG, _context, _page

JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0\x00\x10JFIF", b"GIF89a\x01", b"RIFF\x0a\n\x00\x00WEBPVP8 "


def _buffer(content: bytes, **more) -> dict[str, str]:
    return {"_type": "buffer", "_data": base64.b64encode(content).decode(), **more}


THINGS = [{"door": f"door {number}", "open": True, "since": number, "by": "Ann"} for number in range(12)]


def test_a_list_is_shown_with_its_count():
    """How many things there are can be read without counting."""
    numbers = [("a", "4 items"), ("a[0]", "1"), ("a[1]", "2"), ("a[2]", "3"), ("a[3]", "4")]
    assert rows({"a": [1, 2, 3, 4]}) == numbers
    assert rows([1, 2, 3, 4])[0] == ("data", "4 items")


def test_a_list_that_does_not_fit_says_how_much_is_left_out():
    """Of twelve things, those that aren't shown, or not whole, are counted."""
    table = rows({"at": "noon", "doors": THINGS})
    assert (len(table), table[:3], table[-1]) == (
        41,
        [("at", "noon"), ("doors", "12 items, 3 left out"), ("doors[0].door", "door 0")],
        MORE,
    )


def test_each_list_is_counted():
    """Lists within lists, and beside them, each say theirs."""
    table = dict(rows({"a": [[1, 2, 3, 4], *range(3)], "b": list(range(1200))}, most=10))
    assert (table["a"], table["a[0]"], table["b"]) == ("4 items", "4 items", "1,200 items, 1,200 left out")


def test_a_list_without_room_says_so():
    """Where not even one of its items fits, all are left out."""
    table = rows(["x" * 100] * 5, room=150)
    assert table[0] == ("data", "5 items, 4 left out")


def test_a_text_message_has_the_count_of_a_list():
    """The count comes first, so that it fits into one segment."""
    phone = notification(channel=ChannelName.SMS)
    text = render(_context(alert(data={"doors": THINGS}), notification=phone)).text
    assert text.startswith(
        "WARNING Front door: alarm/motion at 14:03 - doors: 12 items, 11 left out, doors[0].door: door 0"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=60,
)


@for_any
@given(st.lists(json_values, min_size=4, max_size=20), st.integers(1, 60), st.integers(1, 4000))
def test_what_is_left_out_is_what_is_missing(items, most, room):
    """A list whose row says nothing of it is shown whole, and one that isn't says so."""
    table = rows({"list": items}, most=most, room=room)
    whole = rows({"list": items}, most=10_000, room=10**9)
    assert table[0][1].startswith(f"{len(items)} items")
    assert ("left out" in table[0][1]) == (len(whole) > len([row for row in table if row != MORE]))


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (b"<svg>", BINARY),
        (b"", BINARY),
    ],
    ids=ascii,
)
def test_a_buffer_has_the_type_of_its_content(content, media_type):
    """Typed publish says no type of a buffer; pictures are known by how they begin, also in a data: URL."""
    url = f"data:{BINARY};base64,{base64.b64encode(content).decode()}"
    assert blob(_buffer(content)) == blob(url) == Blob(media_type, content)
    assert say(_buffer(content)) == f"{media_type}, {len(content)} bytes"


@pytest.mark.parametrize(
    "value",
    [
        {"_type": "buffer"},
        {"_type": "buffer", "_data": [1, 2]},
        {"_type": "buffer", "_data": "not base64!"},
        {"_type": "text", "_data": "aGk="},
        {"_type": 7, "_data": "aGk="},
        {"_data": "aGk="},
        [_buffer(b"hi")],
    ],
    ids=str,
)
def test_what_is_no_buffer_is_shown_as_it_is(value):
    """Only a whole, well-formed buffer is decoded."""
    assert blob(value) is None


@pytest.mark.parametrize(
    "data",
    [
        _buffer(PNG),
        {"a": 1234, "photo": _buffer(PNG, _type=" Buffer ")},
        {"camera": {"shots": [{"photo": _buffer(b"RIFF")}, {"photo": _buffer(PNG)}]}},
        {"nested": {"photo": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}},
    ],
    ids=["whole", "field", "deep", "data URL"],
)
def test_a_picture_in_a_buffer_is_a_picture(data):
    """A picture is attached and shown wherever it stands, and its base64 isn't in the text."""
    message = render(_context(alert(data=data)))
    assert (message.picture, _page(message).sources) == (Picture("png", PNG), ["cid:picture@alertgate"])
    assert base64.b64encode(PNG).decode() not in message.text
    assert "image/png, 8 bytes" in message.text


def test_another_buffer_is_its_type_and_size():
    """What isn't a picture isn't shown as base64."""
    message = render(_context(alert(data={"a": 1234, "b": _buffer(bytes(range(16)))})))
    assert "  a  1234\n  b  application/octet-stream, 16 bytes\n" in message.text
    assert (message.picture, "_data" in message.text) == (None, False)


def test_a_buffer_alone_is_said_in_a_text_message():
    """Its name would be `data`, which says nothing."""
    phone = notification(channel=ChannelName.SMS)
    text = render(_context(alert(data=_buffer(PNG)), notification=phone)).text
    assert text == "WARNING Front door: alarm/motion at 14:03 - image/png, 8 bytes"


@for_any
@given(st.text(), st.sampled_from([html.escape, lambda text: html.escape(text).replace("/", "&#x2F;")]))
def test_text_that_a_template_has_escaped_is_shown_as_the_device_wrote_it(text, escape):
    """Two braces escape a text as a whole, which is undone once."""
    wrote = text.replace("&", "and")
    assert unescaped(escape(wrote)) == wrote


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It&#39;s &quot;open&quot;", 'It\'s "open"'),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("5 &lt; 7", "5 < 7"),
        ("&amp;quot;", "&quot;"),
        ("&APOS; &#39;", "&APOS; '"),
        ('he said "&quot;"', 'he said "&quot;"'),
        ("it's &quot;", "it's &quot;"),
        ("<b>&quot;</b>", "<b>&quot;</b>"),
        ("a & b &amp; c", "a & b &amp; c"),
        ("&lt; &#60; &copy; &#9999999999999;", "&lt; &#60; &copy; &#9999999999999;"),
        ("&#" + "9" * 5000, "&#" + "9" * 5000),
        ("a?b=1&c=2", "a?b=1&c=2"),
        ("plain", "plain"),
    ],
)
def test_only_text_that_is_escaped_as_a_whole_is_unescaped(text, shown):
    """A bare quote, bracket or ampersand says that the device wrote the escapes itself."""
    assert (unescaped(text), say(text)) == (shown, shown)


@pytest.mark.parametrize("data", ["&lt;b&gt;it&#39;s&lt;/b&gt;", {"say": ["&lt;b&gt;it&#39;s&lt;/b&gt;"]}])
def test_unescaped_text_is_no_markup(data):
    """What was escaped for HTML is text in a mail, and no tag of it."""
    ordinary = _page(render(_context(alert(data={"say": "x"}))))
    message = render(_context(alert(data=data)))
    assert "<b>it's</b>" in message.text
    assert ("<b>it's</b>" in _page(message).text, "b" in _page(message).tags - ordinary.tags) == (True, False)
