"""A reader of pages without a browser: their text, links and forms, and what pressing a button sends."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

PUBLIC_URL = "https://alerts.example.org"
KEY = "links-key-0123456789abcdefghijklmn"
LINKED = {"public_url": PUBLIC_URL, "secret_key": KEY}
"""Settings with which messages have links."""
_LINK = re.compile(re.escape(PUBLIC_URL) + r"(/a/[A-Za-z0-9_-]{16})(?![A-Za-z0-9_-])")


def link_in(text: str) -> str:
    """Return the path of a message's only link."""
    [path] = set(_LINK.findall(text))
    return path


@dataclass
class Form:
    """A form: its hidden fields, and the name and value of each button by what it says."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.status = answer.status_code
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: dict[str, str] = {}
        self.forms: list[Form] = []
        self.text = ""
        self._button: dict[str, str] | None = None
        self._href: str | None = None
        self._said = ""
        self.feed(answer.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        self._said = ""
        if tag == "form":
            self.forms.append(Form(given["method"], given["action"]))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value") or ""
        elif tag == "button":
            self._button = {given["name"]: given["value"]} if "name" in given else {}
        elif tag == "a":
            self._href = given["href"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[self._said.strip()] = self._button
        elif tag == "a" and self._href:
            self.links[self._said.strip()] = self._href

    def handle_data(self, data: str) -> None:
        if "style" not in self.tags[-1:]:
            self.text += data
        self._said += data

    @property
    def buttons(self) -> list[str]:
        """What all buttons and links say."""
        return [said for form in self.forms for said in form.buttons] + list(self.links)

    def filled(self, button: str, number: int = 0) -> dict[str, str]:
        """Return what pressing the button of that name sends; `number` counts those of the same name."""
        form = [each for each in self.forms if button in each.buttons][number]
        return {**form.fields, **form.buttons[button]}


async def opened(client: httpx.AsyncClient, path: str) -> Page:
    """Open a link."""
    return Page(await client.get(path))


async def pressed(client: httpx.AsyncClient, path: str, page: Page, button: str, number: int = 0) -> Page:
    """Press a button of a page, or follow its link."""
    if button in page.links:
        return Page(await client.get(path + page.links[button]))
    return Page(await client.post(path, data=page.filled(button, number), follow_redirects=True))
