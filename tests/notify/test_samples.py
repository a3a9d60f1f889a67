"""The samples in docs/ are what alertgate sends now, and each is valid, small and self-contained."""

import re
from html.parser import HTMLParser

import pytest
from tools.samples import SAMPLES, Sample, files, picture, samples

from alertgate.notify.render.text import GSM7, GSM7_DOUBLE

LARGEST = 20_000
LARGEST_PICTURE = 60_000
EMPTY_TAGS = frozenset({"meta", "img"})
ATTRIBUTES = frozenset({"alt", "charset", "class", "content", "lang", "name", "scope", "src", "style"})
"""Those that mails may have: none that leads anywhere, and none that HTML has given up."""
WITHIN = {
    "li": {"ul"},
    "tr": {"table"},
    "th": {"tr"},
    "td": {"tr"},
    "style": {"head"},
    "meta": {"head"},
    "title": {"head"},
    "p": {"div"},
    "table": {"div"},
    "ul": {"div"},
    "pre": {"div"},
    "h1": {"div"},
    "h2": {"div"},
}
"""In which elements each of these may stand."""

each_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


class _Checker(HTMLParser):
    """Collects what is wrong with a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        self.wrong += [f"{tag} isn't closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if set(names) - ATTRIBUTES or len(names) != len(set(names)):
            self.wrong.append(f"{tag} has {names}")
        if tag in WITHIN and self.open[-1] not in WITHIN[tag]:
            self.wrong.append(f"{tag} in {self.open[-1]}")
        self.sources += [value or "" for name, value in attrs if name == "src"]
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag} closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"td", "th", "p", "li", "h1"}:
            self.text.append(data)


def _septets(text: str) -> int:
    return sum(2 if char in GSM7_DOUBLE else 1 for char in text)


def _words(text: str) -> str:
    return " ".join(text.split())


def test_samples_are_up_to_date():
    """docs/samples holds what `python -m tools.samples` writes now, and nothing but that and pictures of it."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in SAMPLES.iterdir() if path.suffix != ".png"}
    assert files() == kept, "run: python -m tools.samples"


def test_pictures_in_the_docs_are_small():
    """Those that the index shows are there, and don't weigh on a clone."""
    index = (SAMPLES / "README.md").read_text(encoding="utf-8")
    sizes = {path.name: path.stat().st_size for path in SAMPLES.glob("*.png")}
    assert set(re.findall(r"\]\((\S+\.png)\)", index)) == set(sizes)
    assert [name for name, size in sizes.items() if size > LARGEST_PICTURE] == []


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text in files().items() if name.endswith(".html")])
def test_html_samples_are_small(name, text):
    """Every sample is under 20 kB, even with its picture within."""
    assert len(text.encode()) < LARGEST, name


@each_sample
def test_text_messages_are_one_segment(sample: Sample):
    """Every text message has at most 160 septets, of GSM-7 characters alone."""
    text = sample.text_message().text
    assert (_septets(text) <= 160, set(text) - GSM7 - GSM7_DOUBLE) == (True, set())


@each_sample
def test_html_is_valid_and_leads_nowhere(sample: Sample):
    """Elements are nested as they may be; there is no link, no script, and nothing to fetch but the mail's picture."""
    html = sample.mail().html or ""
    page = _Checker(html)
    assert html.startswith("<!DOCTYPE html>\n<html")
    assert page.wrong == []
    assert set(page.sources) <= {"cid:picture@alertgate"}
    assert re.findall(r"https?:|url\(|@import|<script|<form|<a\b", html) == []


@each_sample
def test_the_text_is_as_good_as_the_html(sample: Sample):
    """All that the page says, the text says too."""
    mail = sample.mail()
    text = _words(mail.text)
    said = [_words(data) for data in _Checker(mail.html or "").text]
    assert [words for words in said if words not in text] == []


def test_a_samples_picture_is_attached():
    """The sample with a picture shows it, and the one without says why."""
    mails = {sample.name: sample.mail() for sample in samples()}
    shown = mails["picture"].picture
    assert shown is not None
    assert (shown.content, mails["picture-left-out"].picture) == (picture(), None)
    assert "was left out" in mails["picture-left-out"].text
