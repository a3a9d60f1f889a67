"""What devices say, in the mail as a library parses it and as a real browser shows it: words, and nothing else."""

import asyncio
import html
import json
import subprocess
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest

from alertgate.config import Settings
from tests.conftest import BEARER, Running, serving, sign
from tests.fakes import until
from tests.web.test_middleware import CHROMIUM

RUN = "top.document.title='OWNED'"
ODD = [
    "pre{{7*7}}post",
    "${7*7}#{7*7}<%= 7*7 %>",
    "{% for x in [1] %}x{% endfor %}{# gone #}",
    "{{ self.__init__.__globals__ }}",
    f"<script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f"</title></style></table></div><svg onload={RUN}>",
    f'" onmouseover="{RUN}" style="background:url(\'//evil.example\')" \'',
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f"<a href=\"javascript:{RUN}\">x</a><base href='//evil.example'><meta http-equiv=refresh content=0>",
    f"data:text/html,<script>{RUN}</script>",
    "&lt;script&gt;&#60;script&#62;",
    "a\r\nBcc: evil@example.com\r\nX-Injected: 1\r\n\r\nbody",
    "a\rBcc: evil@example.com\nX-Injected: 1",
    "\r\n.\r\nMAIL FROM:<evil@example.com>",
    "=?utf-8?q?=0d=0aBcc:_evil@example.com?=",
    "a\x85Bcc: x\u2028X-Injected: 1\u2029",
    "\u202egnp.exe\u2066\u2069\u200f",
    "\u200bzero\u200dwidth\u2060\ufeff",
    "\x00\x07\x1b[31m\x9b2J",
    "--===============",
]
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("MIME-Version", "Content-Type", "X-Priority", "Content-Transfer-Encoding"),
}
FORM = {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}


async def _send_all(service: Running, text: str, number: int) -> None:
    """Put one text in every field of every kind of alert."""
    particle = {"event": f"{text}{number}"[:128], "data": {text: text, "l": [text]}, "coreid": f"{number}{text}"[:120]}
    more = {"published_at": text, "event_id": f"{text}{number}"[:120], "userid": text, text: text, "fw_version": text}
    form = {**particle, **more, "data": text, "event": f"f{text}{number}"[:128], "event_id": f"f{number}{text}"[:120]}
    generic = {
        "event": f"g{number}{text}"[:128],
        "message": text,
        "source": text[:120],
        "details": {text: {text: text}},
    }
    body = json.dumps({**generic, "dedup_key": f"{text}{number}"[:200], text: text}).encode()
    printable = text if text.isascii() and text.isprintable() else "odd"
    signed = {"X-Hub-Signature-256": sign(body), "Idempotency-Key": f"{printable}{number}", "X-Request-ID": printable}
    for answer in [
        await service.client.post("/webhook/particle", json={**particle, **more}, headers=BEARER),
        await service.client.post("/webhook/particle", content=urlencode(form), headers=FORM),
        await service.client.post(
            "/webhook/particle", content=f'{{"coreid":"q{number}",{text}'.encode(), headers=BEARER
        ),
        await service.client.post("/webhook/generic", content=body, headers=signed),
    ]:
        assert answer.status_code == 202, (text, answer.text)


@pytest.fixture
async def mails(make_settings, tmp_path: Path) -> list[EmailMessage]:
    """The mails about all of it, each alone and again in a digest, as the email library parses them."""
    alone, digest = tmp_path / "alone", tmp_path / "digest"
    files = [*await _written(make_settings(**WHO, data_dir=alone, flood_limit=0), 4 * len(ODD) + 1)]
    files += await _written(make_settings(**WHO, data_dir=digest, flood_limit=1), 2)
    parsed = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [mail for mail in parsed if isinstance(mail, EmailMessage)]


WHO = {
    "recipient_email": "me@example.com",
    "devices": json.dumps({"3f002b": f"<script>{RUN}</script>{{{{7*7}}}}"}),
}


async def _written(settings: Settings, expected: int) -> list[Path]:
    """Send all texts; return the files of the outbox."""
    new = settings.outbox_dir / "new"
    async with serving(settings) as service:
        for number, text in enumerate(ODD):
            await _send_all(service, text, number)
        named = {"event": "named", "coreid": "3f002b"}
        assert (await service.client.post("/webhook/particle", json=named, headers=BEARER)).status_code == 202

        async def all_written():
            files = list(new.glob("*")) if new.exists() else []
            return files if len(files) >= expected else None

        return await until(all_written, within=60)


class _Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def _page(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def is_harmless(text: str) -> bool:
    """Return whether all characters can be seen, but for those that words and emoji are made of."""
    return all(char.isprintable() or char in "\u200b\u200d\u200f\u2060" for char in text)


async def test_no_text_becomes_a_header_a_tag_or_a_template(mails):
    """Only our own headers, tags and attributes; one recipient; nothing evaluated; no character that hides another."""
    shown = ""
    for mail in mails:
        assert not mail.defects
        assert set(mail.keys()) <= HEADERS
        assert (mail["To"], len(mail.get_all("To"))) == ("me@example.com", 1)
        assert is_harmless(mail["Subject"])
        tags = _Tags()
        tags.feed(_page(mail))
        assert not tags.tags & {"script", "img", "iframe", "svg", "a", "base", "form", "object", "link"}
        assert not {name for name in tags.attributes if name.startswith("on") or name in {"href", "src", "srcdoc"}}
        text = mail.get_body(("plain",)).get_content()
        shown += _page(mail) + text + mail["Subject"]
        for part in (text, _page(mail)):
            assert is_harmless(part.replace("\r\n", "").replace("\n", "").replace("\t", ""))
    assert "pre49post" not in shown
    for kept in (
        "pre{{7*7}}post",
        "{% for x in [1] %}x{% endfor %}",
        "&lt;script&gt;top.document.title=",
        "{# gone #}",
    ):
        assert kept in shown


async def _title(page: Path, profile: Path) -> str:
    """Return the title that a page has when all in it has run."""
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", f"--user-data-dir={profile}"),
        *("--virtual-time-budget=5000", "--dump-dom", page.as_uri()),
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout.partition("<title>")[2].partition("</title>")[0]


def _album(pages: list[str]) -> str:
    frames = "".join(f'<iframe srcdoc="{html.escape(page)}"></iframe>' for page in pages)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>untouched</title></head><body>{frames}</body></html>'
    )


@pytest.mark.skipif(CHROMIUM is None, reason="chromium isn't installed; .ci/run installs it")
async def test_nothing_in_a_mail_runs_in_a_browser(mails, tmp_path):
    """All mails, in frames that could change the page around them; a page with the raw texts shows that they would."""
    album, raw = tmp_path / "album.html", tmp_path / "raw.html"
    album.write_text(_album([_page(mail) for mail in mails]), encoding="utf-8", errors="replace")
    raw.write_text(_album(ODD), encoding="utf-8", errors="replace")
    assert await _title(raw, tmp_path / "one") == "OWNED"
    assert await _title(album, tmp_path / "two") == "untouched"
