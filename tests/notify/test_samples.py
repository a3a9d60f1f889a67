"""The samples in docs/ are up to date, and each is valid, small and self-contained."""

import re
from html.parser import HTMLParser

import pytest
from tools.pictures import digest_in, pictures
from tools.samples import SAMPLES, Sample, files, picture, samples

from alertgate.notify.render.text import GSM7, GSM7_DOUBLE

LARGEST = 20_000
LARGEST_PICTURE = 60_000
EMPTY_TAGS = frozenset({"meta", "img"})
ATTRIBUTES = frozenset({"alt", "charset", "class", "content", "href", "lang", "name", "scope", "src", "style"})
"""Attributes that mails may have, and none that HTML has deprecated."""
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
"""The parent elements that each of these may have."""

each_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


class _Checker(HTMLParser):
    """Collects the errors of a page."""

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
    """docs/samples has exactly the files that `python -m tools.samples` writes, and screenshots of them."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in SAMPLES.iterdir() if path.suffix != ".png"}
    assert files() == kept, "run: python -m tools.samples"


def test_pictures_in_the_docs_are_small():
    """The screenshots are exactly those in the index, and small enough for a clone."""
    index = (SAMPLES / "README.md").read_text(encoding="utf-8")
    sizes = {path.name: path.stat().st_size for path in SAMPLES.glob("*.png")}
    assert set(re.findall(r"\]\((\S+\.png)\)", index)) == set(sizes)
    assert [name for name, size in sizes.items() if size > LARGEST_PICTURE] == []


def test_pictures_in_the_docs_are_of_the_present_mails():
    """Each screenshot holds a digest of the page that it shows."""
    kept = {path.stem: digest_in(path.read_bytes()) for path in SAMPLES.glob("*.png")}
    assert {each.name: each.digest for each in pictures()} == kept, "run: python -m tools.pictures"


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text in files().items() if name.endswith(".html")])
def test_html_samples_are_small(name, text):
    """Every sample is under 20 kB, even with its picture embedded."""
    assert len(text.encode()) < LARGEST, name


@each_sample
def test_text_messages_are_one_segment(sample: Sample):
    """Every text message has at most 160 septets, and only GSM-7 characters."""
    text = sample.text_message().text
    assert (_septets(text) <= 160, set(text) - GSM7 - GSM7_DOUBLE) == (True, set())


@each_sample
def test_html_is_valid_and_fetches_nothing(sample: Sample):
    """Elements are nested correctly; there is one link, no script, and no source but the mail's picture."""
    html = sample.mail().html or ""
    page = _Checker(html)
    assert html.startswith("<!DOCTYPE html>\n<html")
    assert page.wrong == []
    assert set(page.sources) <= {"cid:picture@alertgate"}
    assert re.findall(r"url\(|@import|<script|<form", html) == []
    link = sample.context.link
    assert (re.findall(r"https?:[^\"]*", html), re.findall(r"<a\b", html)) == ([link], ["<a"])


@each_sample
def test_the_text_says_what_the_html_says(sample: Sample):
    """Everything on the page is in the text too."""
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
