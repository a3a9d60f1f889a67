"""Regenerate the pictures in docs/samples, mails and links' pages as a phone shows them: `python -m tools.pictures`.

It needs Debian's `chromium` and `fonts-roboto-unhinted`, the font of phones with Android. Each picture holds a digest
of the page that it was made from, so that a test sees when a mail has changed since.
"""

import os
import struct
import subprocess
import zlib
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from alertgate.group.by_link import LinkAct, LinkGroup, affected
from alertgate.model import ChannelName, NotificationStatus
from alertgate.notify.context import MessageContext
from alertgate.prove.linked import Linked, Story
from alertgate.store.links import ToldContact
from alertgate.web.link_page import LinkPage
from alertgate.web.pages import page
from tools.samples import SAMPLES, Sample, samples

CHROMIUM = "/usr/bin/chromium"
FONTS = """<?xml version="1.0"?>
<fontconfig>
<dir>/usr/share/fonts</dir>
<cachedir>{cache}</cachedir>
<match><edit name="family" mode="prepend" binding="strong"><string>Roboto</string></edit></match>
</fontconfig>
"""
PAGE = 1180
"""The height of the link's page."""
BACKGROUND = "#e7ebf0"
PHONE = 390
"""The width of common phones, in CSS pixels."""
STYLE = f"""
body {{ margin: 0; background: {BACKGROUND}; font: 15px/1.35 Roboto; color: #1c2430 }}
.row {{ display: flex; gap: 28px; padding: 24px }}
.phone {{ flex: none; box-sizing: content-box; width: {PHONE}px; background: #fff; border-radius: 22px;
  overflow: hidden; border: 6px solid #1c2430 }}
.head {{ padding: 16px 16px 12px; background: #fff }}
.subject {{ font-size: 19px; line-height: 1.25; margin-bottom: 10px }}
.from {{ display: flex; gap: 10px; font-size: 13px; color: #5b6573 }}
.disc {{ width: 34px; height: 34px; border-radius: 50%; background: #3f6fb5; color: #fff; text-align: center;
  line-height: 34px; font-size: 16px }}
.from b {{ color: #1c2430; font-weight: 500; font-size: 14px }}
iframe {{ border: 0; width: {PHONE}px; display: block }}
.night {{ background: #1a2336; color: #fff; text-align: center; padding: 0 }}
.night > * {{ margin-left: 14px; margin-right: 14px }}
.clock {{ font-size: 66px; line-height: 1; font-weight: 300; margin-top: 56px }}
.day {{ font-size: 15px; margin-top: 6px; margin-bottom: 36px; opacity: .85 }}
.note {{ background: #eef1f5; color: #1c2430; border-radius: 16px; padding: 11px 14px; text-align: left;
  margin-top: 10px; font-size: 14.5px }}
.note div {{ display: flex; justify-content: space-between; font-size: 12px; color: #5b6573; margin-bottom: 3px }}
.note b {{ font-weight: 500; display: block }}
"""


class Picture(NamedTuple):
    """A page, and how it is shown."""

    name: str
    html: str
    width: int
    height: int
    dark: bool = False

    @property
    def digest(self) -> str:
        """What the page's picture holds."""
        return sha256(repr((self.html, self.width, self.height, self.dark)).encode()).hexdigest()


def pictures() -> list[Picture]:
    """Return the pages of all pictures."""
    by_name = {sample.name: sample for sample in samples()}
    update, link = by_name["update"].mail().html or "", _link_page(by_name["opening"].context)
    return [
        Picture("phones", _phones(by_name["opening"]), 2 * PHONE + 100, 572),
        Picture("phone-light", update, PHONE, 800),
        Picture("phone-dark", update, PHONE, 800, dark=True),
        Picture("link-light", link, PHONE, PAGE),
        Picture("link-dark", link, PHONE, PAGE, dark=True),
    ]


def _phones(sample: Sample) -> str:
    """Return two phones side by side: the mail, opened, and a lock screen with the mail and the text message."""
    mail, text = sample.mail(), sample.text_message().text
    subject = escape(mail.subject or "")
    preview = escape((mail.html or "").split('<div style="display:none">')[1].split("</div>")[0], quote=False)
    return f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><style>{STYLE}</style><div class="row">
<div class="phone"><div class="head"><div class="subject">{subject}</div>
<div class="from"><div class="disc">a</div><div><b>alertgate</b> &nbsp;03:03<br>to me</div></div></div>
<iframe height="412" scrolling="no" srcdoc="{escape(mail.html or "")}"></iframe></div>
<div class="phone night"><div class="clock">03:03</div><div class="day">Monday 23 November</div>
<div class="note"><div><span>Mail</span><span>now</span></div><b>{subject}</b>{preview}</div>
<div class="note"><div><span>Messages</span><span>now</span></div>{escape(text.strip())}</div></div>
</div></html>"""


def _link_page(context: MessageContext) -> str:
    """Return the page of the link of a mail, which two people were sent, and a third will be."""
    mine = replace(context.notification, person="Anna", claimed_at=context.now)
    sent, pending = NotificationStatus.SENT, NotificationStatus.PENDING
    told = [
        ToldContact(ChannelName.EMAIL, mine.address, sent, context.now, context.now, "Anna"),
        ToldContact(ChannelName.EMAIL, "ben@example.org", sent, context.now, context.now, "Ben"),
        ToldContact(
            ChannelName.SMS, "5551234567@sms.example.net", pending, None, context.now + timedelta(minutes=10), "Clara"
        ),
    ]
    shown = Story(Linked(mine, (context.incident,)), context.alerts, tuple(told))

    def offered(group: LinkGroup) -> list[LinkAct]:
        return [act for act in LinkAct if affected(group, act)]

    made = LinkPage(shown, offered, lambda _: context.device_name, context.zone, context.now)
    return bytes(page("link.html", {**made.view(), "notice": "", "done": False}).body).decode()


def digest_in(png: bytes) -> str | None:
    """Return the digest that a picture holds, or None."""
    start = png.find(b"tEXtSource\0")
    return png[start + 11 : start + 75].decode("ascii") if start > 0 else None


def _with_digest(png: bytes, digest: str) -> bytes:
    """Return a picture with its page's digest, behind the header (8 bytes of signature and 25 of IHDR)."""
    chunk = b"tEXtSource\0" + digest.encode("ascii")
    made = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + made + png[33:]


def _render(picture: Picture, directory: Path) -> bytes:
    """Return a picture of a page in chromium, which fetches nothing."""
    source, made, fonts = (directory / f"{picture.name}.{kind}" for kind in ("html", "png", "conf"))
    source.write_text(picture.html, encoding="utf-8")
    fonts.write_text(FONTS.format(cache=directory / "fonts"), encoding="utf-8")
    subprocess.run(  # noqa: S603  (the program is named above)
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--proxy-server=127.0.0.1:9", f"--user-data-dir={directory / 'profile'}"),
            *(["--blink-settings=preferredColorScheme=0"] if picture.dark else []),
            f"--window-size={picture.width},{picture.height}",
            *(f"--screenshot={made}", source.as_uri()),
        ],
        env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        check=True,
        capture_output=True,
        timeout=120,
    )
    return _with_digest(made.read_bytes(), picture.digest)


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        for each in pictures():
            (SAMPLES / f"{each.name}.png").write_bytes(_render(each, Path(temporary)))
