"""The export of incidents and who was told of them."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import httpx
import pytest

from alertgate.credential import Credential
from alertgate.errors import StoreUnavailable
from alertgate.ids import new_id
from alertgate.model import Attempt, ChannelName, NotificationStatus, Resolution
from alertgate.store import Connection, attempts, incidents, notifications
from alertgate.store.engine import Store
from alertgate.web.console import export
from alertgate.web.console.export import Export, Place
from alertgate.web.console.export_rows import HEADER, MARK, Rows, written
from tests.builders import new_incident, new_notification
from tests.conftest import Running, copy_template, serving
from tests.console import seen, signed_in
from tests.fakes import START
from tests.hostile.test_mail import ODD

BERLIN = ZoneInfo("Europe/Berlin")
ROWS = Rows(BERLIN, lambda _: "Front door", is_operator=True)


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a file by the names of their columns."""
    return list(csv.DictReader(io.StringIO(text.removeprefix(MARK), newline="")))


def test_a_row_says_what_happened_and_who_was_told():
    """Times in the viewer's zone and in UTC; addresses that are secrets are masked; the server's own words."""
    incident = new_incident(
        resolved_at=START + timedelta(minutes=5),
        resolution=Resolution.PERSON,
        resolved_by="Ada",
        resolved_with=Credential.CONSOLE,
        handed_back_at=START + timedelta(minutes=1),
        handed_back_by="Ben",
        handed_back_with=Credential.LINK,
    )
    sent = new_notification(
        incident,
        channel=ChannelName.NTFY,
        address="owner-x7Kq",
        person="owner",
        status=NotificationStatus.SENT,
        finished_at=START + timedelta(seconds=2),
    )
    last = {sent.id: Attempt("a", sent.id, START, 0.1, "sent", "sent", 'ok, "taken"')}
    [row] = table(written([HEADER]) + ROWS.write([incident], [sent], last, None))
    at = START.astimezone(BERLIN)
    assert row["opened"] == at.isoformat(timespec="seconds")
    assert row["opened_utc"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert row["finished_utc"] == f"{START + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"
    assert (row["resolved_by"], row["resolved_how"]) == ("Ada", "person in the console")
    assert (row["handed_back_by"], row["handed_back_how"]) == ("Ben", "with a message's link")
    assert row["handed_back_utc"] == f"{START + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert (row["person"], row["address"], row["device_name"]) == ("owner", "o***", "Front door")
    assert (row["state"], row["last_answer"]) == ("sent", 'sent: ok, "taken"')


def test_an_incident_of_which_nobody_was_told_has_a_row_too():
    """With the columns of a notification empty."""
    [row] = table(written([HEADER]) + ROWS.write([new_incident()], [], {}, None))
    assert (row["event"], row["notification"], row["state"]) == ("e", "", "")


COMPUTED = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "x;=1",
    "x; =1",
    "x;\t@a",
    'x;"=1+1;y',
    'x; ""-1',
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("text", [*COMPUTED, *ODD])
def test_no_spreadsheet_computes_what_a_device_sent(text):
    """What begins like a formula, in a cell or behind a semicolon, has an apostrophe before it; nothing is hidden."""
    incident = new_incident(event=text, device=text, acknowledged_by=text)
    sent = new_notification(incident, reason=text, person=text, address=text, proved_by=text)
    last = {sent.id: Attempt("a", sent.id, START, 0.1, "sent", text, text)}
    file = written([HEADER]) + ROWS.write([incident], [sent], last, None)
    [row] = table(file)
    assert len(row) == len(HEADER)
    for cell in row.values():
        assert not re.search(r"(^|;)[\s\"]*[=+\-@\uff1d]", cell)
        assert not set(cell) & set("\r\n\t\x00\x07\x1b\u202e\u2066")
    assert file.count("\r\n") == 2


def whole(store: Store, wanted: Export) -> tuple[list[dict[str, str]], int]:
    """Return all rows of an export, and in how many parts they were read."""
    place, text, parts = Place(), written([HEADER]), 0
    while place is not None:
        part = store.read_now(lambda connection, place=place: wanted.read(connection, place))
        text, place, parts = text + part.text, part.then, parts + 1
    return table(text), parts


def fill(connection: Connection, numbers: list[int]) -> None:
    """Store incidents with so many notifications each, a second apart."""
    for number, many in enumerate(numbers):
        at = START + timedelta(seconds=number)
        incident = new_incident(id=new_id(at), opened_at=at, key=f"k{number}", event=f"e{number}")
        incidents.add(connection, [incident])
        sent = [
            new_notification(incident, id=new_id(at), address=f"{n}@x.example", status=NotificationStatus.SENT)
            for n in range(many)
        ]
        notifications.add(connection, sent)
        attempts.add(connection, [Attempt(new_id(at), each.id, at, 0.1, "sent", "sent", "ok") for each in sent])


def test_an_export_in_parts_has_every_row_once(store: Store):
    """Also where the notifications of one incident fill several parts, exactly one, or none."""
    numbers = [0, 1, 2300, 0, 997, 0, 1, 1000, 0]
    with store.transaction() as connection:
        fill(connection, [*numbers, *[0] * 200])
    rows, parts = whole(store, Export(None, START + timedelta(days=1), ROWS))
    told = [
        sum(row["event"] == f"e{number}" and row["notification"] != "" for row in rows)
        for number in range(len(numbers))
    ]
    assert told == numbers
    assert sum(row["notification"] == "" for row in rows) == numbers.count(0) + 200
    assert [row["event"] for row in rows] == sorted((row["event"] for row in rows), key=lambda event: int(event[1:]))
    assert len({row["notification"] for row in rows}) == sum(numbers) + 1
    assert parts > 4
    some, _ = whole(store, Export(START + timedelta(seconds=1), START + timedelta(seconds=2), ROWS))
    assert [row["event"] for row in some] == ["e1"]


async def test_a_range_of_time_is_downloaded_with_its_name(service: Running):
    """As a file that Excel takes for UTF-8, whose name says the range in the viewer's zone."""
    await service.particle(event="Tür")
    async with signed_in(service, zone="Europe/Berlin") as client:
        answer = await client.get("/incidents.csv?since=2026-01-01T00:00&until=2099-06-01T12:30")
        none = await client.get("/incidents.csv?until=2020-01-01T00:00")
        form = next(form for form in (await seen(client, "/incidents")).forms if form.action == "/incidents.csv")
        wrong = await client.get("/incidents.csv?since=x", follow_redirects=True)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = "alertgate-incidents-2026-01-01T0000-to-2099-06-01T1230.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content.startswith(b"\xef\xbb\xbfincident,severity,event,")
    assert [row["event"] for row in table(answer.content.decode())] == ["Tür"]
    assert table(none.content.decode()) == []
    assert set(form.fields) == {"since", "until"}
    assert (wrong.status_code, "'x' is no time" in wrong.text.replace("&#39;", "'")) == (422, True)
    assert (await service.client.get("/incidents.csv")).status_code == 401


class FailingStore(Store):
    """A store that can't read an export any more once it has come to a place."""

    fails: Callable[[Place], bool] = staticmethod(lambda _: False)

    def read_now(self, act):
        if isinstance(act, partial) and "place" in act.keywords and self.fails(act.keywords["place"]):
            raise StoreUnavailable("the database is away")
        return super().read_now(act)


async def received(client: httpx.AsyncClient, got: list[bytes]) -> None:
    """Add what comes of an export, as it comes."""
    async with client.stream("GET", "/incidents.csv?until=2099-01-01T00:00") as answer:
        async for chunk in answer.aiter_raw():
            got.append(chunk)  # noqa: PERF401  (what came before it broke off is kept)


async def test_an_export_that_breaks_off_says_so(make_settings, capsys):
    """The last line says up to where it goes, the answer is never completed, and the log has it without a traceback."""
    settings = make_settings()
    copy_template(settings)
    store = FailingStore(settings)
    async with serving(settings, store=store) as service, signed_in(service, zone="Europe/Berlin") as client:
        await service.gate.store.write(lambda connection: fill(connection, [0] * 450))
        store.fails = lambda place: place.incident != ""
        got: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await received(client, got)
        store.fails = lambda _: True
        refused = await client.get("/incidents.csv")
    lines = b"".join(got).decode().splitlines()
    assert len(lines) == 1 + export.MOST_INCIDENTS + 1
    assert lines[-1].startswith('"INCOMPLETE: The database failed, so the export ends here: it has what began up to 20')
    assert (refused.status_code, refused.headers["content-type"]) == (503, "text/html; charset=utf-8")
    logged = capsys.readouterr().out
    assert "export.broken_off" in logged
    assert "Traceback" not in logged
