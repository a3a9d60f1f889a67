"""The benchmarks say honestly whether a goal was reached."""

import asyncio
import os
import subprocess
import sys
import time
from email.message import EmailMessage
from email.policy import SMTP

import httpx
import pytest
from bench import bare, processor
from bench.expressions import dearest, events, seconds
from bench.figure import Figure
from bench.figures import FIGURES
from bench.load import Measured, measured, rates, ratios
from bench.mail import alone, answers, as_bytes, as_object
from bench.postgres import shares
from bench.posts import alert, at_once, percentile, post, request, status
from bench.processor import Process, of_trees, parsed
from bench.seed import seed
from torture.books import Books
from torture.load import TOKEN

from alertgate.store.engine import Store
from tests.test_docs import ROOT

WHOLE = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("goal", "values", "reached"),
    [
        ("≥ 0.6", [0.5, 0.7, 0.61], "yes"),
        ("≥ 0.6", [0.5, 0.7, 0.59], "**no**"),
        ("≤ 2", [1.0, 9.0, 2.0], "yes"),
        ("≤ 2", [1.0, 9.0, 2.1], "**no**"),
        ("", [1.0], ""),
    ],
)
def test_a_goal_is_compared_with_the_median(goal, values, reached):
    """One lucky round doesn't reach a goal, and one unlucky one doesn't miss it."""
    assert Figure("ours", "theirs", goal, values).reached == reached


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (Figure("a", "b", "≥ 0.5", [0.25, 1, 0.5], "c"), "| a | b | ≥ 0.5 | 0.50 (0.25 to 1.00) | yes | c |"),
        (Figure("a", "", "≤ 0.5", [1, 2, 3], unit="s"), "| a |  | ≤ 0.5 s | 2.00 s (1.00 to 3.00) | **no** |  |"),
        (Figure("a", "", "", [1], unit="s"), "| a |  | reported | 1.00 s (1.00 to 1.00) |  |  |"),
    ],
)
def test_the_table_names_the_unit_of_what_is_no_ratio(figure, line):
    """A ratio stands alone; seconds stand with their unit, in the goal too."""
    assert figure.line() == line


@pytest.mark.parametrize(
    ("figure", "label", "score"),
    [
        (Figure("a", "b", "≥ 0.5", [1.0]), "a\nagainst b: 1.00 (goal ≥ 0.5)", 2.0),
        (Figure("a", "", "≤ 0.5", [2.0], unit="s"), "a\n2.00 s (goal ≤ 0.5 s)", 0.25),
    ],
)
def test_the_plot_shows_how_many_times_as_good_as_its_goal_a_figure_is(figure, label, score):
    """Above 1 the goal is reached, whichever way it points."""
    assert (figure.label, figure.score) == (label, score)


def test_the_page_names_every_figure_that_can_be_measured_alone():
    """`python -m bench NAME` takes the names that the page lists."""
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert ", ".join(f"`{name}`" for name in FIGURES) in page


def test_the_load_generator_s_summary_is_read():
    """Rates are a second, latencies in milliseconds."""
    said = {"requests": 900, "microseconds": 3e6, "refused": 1, "broken": 2, "p50": 1500.0, "p99": 9000.0}
    assert measured(said) == Measured(rate=300.0, requests=900, refused=1, broken=2, p50=1.5, p99=9.0)


def test_rates_are_compared_round_by_round():
    """A slow minute of the machine slows both sides of its round down."""
    ours, theirs = ([Measured(rate, 0, 0, 0, 0, 0) for rate in side] for side in ([100, 50, 2000], [200, 100, 4000]))
    assert ratios(ours, theirs) == [0.5, 0.5, 0.5]
    assert rates(ours, theirs) == "100 and 200 requests/s"


@pytest.mark.parametrize(("parts", "split"), [(1, [32]), (2, [16, 16]), (3, [11, 11, 10])])
def test_replicas_get_as_many_connections_as_each_other(parts, split):
    """No connection is lost or added by dividing."""
    assert shares(32, parts) == split


@pytest.mark.parametrize(
    ("count", "share", "value"), [(1000, 0.99, 990), (1000, 1.0, 1000), (100, 0.5, 50), (1, 0.99, 1)]
)
def test_a_percentile_is_one_of_the_values(count, share, value):
    """The nearest rank, so that nothing is reported that nobody waited for."""
    assert percentile(range(1, count + 1), share) == value


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (WHOLE, 202),
        (WHOLE[:-1], None),
        (WHOLE[:30], None),
        (b"", None),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503),
    ],
)
def test_an_answer_counts_when_it_is_whole(answer, expected):
    """A status without its body isn't what a caller waits for."""
    assert status(answer) == expected


def test_a_request_says_how_long_its_body_is():
    """Prebuilt bytes are a whole request, with the header lines that were given."""
    head = b"POST /path HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nA: b\r\n"
    assert request("/path", [1], "A: b\r\n") == head + b"Content-Length: 3\r\n\r\n[1]"


def test_processor_time_is_read_with_odd_names():
    """A process's name may hold what else separates fields; children that have ended count with their parent."""
    stat = "42 (a) R (b 1) S 7 42 42 0 -1 4194304 5 6 0 0 100 20 3 4 20 0 9 0 12345 0 0"
    assert parsed(stat) == Process(pid=42, parent=7, ticks=127)


def test_processor_time_is_the_whole_tree_s():
    """Children and their children count; siblings of the root don't."""
    tree = [
        Process(pid, parent, ticks)
        for pid, parent, ticks in [(1, 0, 1), (2, 1, 10), (3, 2, 100), (4, 3, 1e3), (5, 1, 1e4)]
    ]
    assert of_trees(tree, [2]) == 1110
    assert of_trees(tree, [3, 5]) == 11100
    with pytest.raises(KeyError):
        of_trees(tree, [6])


def test_a_child_s_processor_time_counts():
    """What a child has used is its parent's, while it runs and after it."""
    before = processor.seconds(os.getpid())
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout
        assert child.stdout.readline() == b"\n"
        assert processor.seconds(os.getpid()) - before >= 0.25
        child.communicate(b"\n")
    assert processor.seconds(os.getpid()) - before >= 0.25


def test_the_stages_are_those_of_the_page():
    """Each stage of an alert is still called as the service calls it, and the page lists it."""
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    listed = page.split("<!-- stages -->\n")[1].split("\n<!--")[0].splitlines()
    made = subprocess.run([sys.executable, "-m", "bench.stages"], capture_output=True, text=True, check=True, cwd=ROOT)
    names = [[line.split("|")[1] for line in table] for table in (listed, made.stdout.splitlines())]
    assert names[0] == names[1]


@pytest.mark.parametrize("pending", [True, False])
def test_a_seeded_history_is_one_that_the_service_could_have_written(pending, make_settings):
    """Each alert belongs to the incident of its key, which names its last one; nothing else hangs in the air."""
    settings = make_settings()
    store = Store(settings)
    store.open(exclusive=True)
    store.close()
    books = Books(settings.data_dir / "alertgate.db")
    seed(books.place, time.time(), incidents=3, each=2, pending=pending)
    joined = "FROM incidents i JOIN alerts a ON a.incident_id = i.id AND a.incident_key = i.key"
    assert books.ask(f"SELECT count(*) {joined}") == [(6,)]
    assert books.ask(f"SELECT count(*) {joined} AND a.id = i.last_alert_id") == [(3,)]
    assert (books.waiting(), books.stored_twice(), books.sound()) == (3 * pending, [], True)


async def test_the_bare_application_takes_the_same_alert():
    """What alertgate is compared with accepts what it accepts, and no wrong bearer."""
    event = {"event": "alarm/motion", "data": '{"zone":"hall"}', "coreid": "0" * 24, "event_id": "1"}
    transport = httpx.ASGITransport(app=bare.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bare") as client:
        for bearer, expected in ((TOKEN, 202), ("wrong", 401)):
            answer = await client.post("/webhook/particle", json=event, headers={"Authorization": f"Bearer {bearer}"})
            assert answer.status_code == expected


async def _serve(answer):
    """Answer each request's bytes by `answer(number of the request)`; gives the server and its port."""
    requests = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
        requests.append(body)
        writer.write(answer(len(requests)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], requests


async def test_a_burst_sends_one_alert_on_each_connection():
    """Each is answered, and the times are in order."""
    server, port, requests = await _serve(lambda _: WHOLE)
    async with server:
        burst = await at_once(port, [alert(event="e", coreid=str(number)) for number in range(50)])
    assert sorted(requests) == sorted(b'{"event": "e", "coreid": "%d"}' % number for number in range(50))
    assert len(burst.seconds) == 50
    assert burst.seconds == sorted(burst.seconds)


@pytest.mark.parametrize("answer", [WHOLE.replace(b"202", b"503"), WHOLE[:-1], b""])
async def test_a_burst_fails_unless_all_are_accepted(answer):
    """One refusal, or one connection that ends without a whole answer, is a failure and no figure."""
    server, port, _ = await _serve(lambda number: answer if number == 3 else WHOLE)
    async with server:
        with pytest.raises(RuntimeError, match=r"5 alerts at once were answered \{"):
            await at_once(port, [alert(event="e")] * 5)


async def test_a_single_post_must_be_answered_as_expected():
    """Another status ends the measurement instead of being measured."""
    server, port, _ = await _serve(lambda _: WHOLE)
    async with server:
        await post(port, alert(event="e"))
        with pytest.raises(RuntimeError, match="answered"):
            await post(port, alert(event="e"), 200)


def _mail():
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "alerts@example.net", "me@example.com", "hall"
    mail["Date"], mail["Message-ID"] = "Wed, 25 Nov 2026 08:30:12 +0000", "<1@example.net>"
    mail["References"], mail["Auto-Submitted"] = "<2@example.net>", "auto-generated"
    mail.set_content("wet\n")
    mail.add_alternative("<p>wet</p>\n", subtype="html")
    return mail


async def test_the_mail_server_tells_when_it_answered():
    """Each mail that is taken ends what is measured, once, and the time is that of its 250."""
    async with answers() as taken:
        for number, send in enumerate((as_bytes(_mail().as_bytes()), as_object(_mail().as_bytes()))):
            taken.next = asyncio.get_running_loop().create_future()
            before = time.monotonic()
            await alone(taken.port, 2, send)
            assert before < await taken.next < time.monotonic()
            assert len(taken.times) == 2 * (number + 1)
            assert b"\r\nSubject: hall\r\n" in taken.latest
            assert taken.latest.count(b"wet") == 2


def test_the_dearest_expressions_are_those_at_the_bound():
    """One copy more is refused, and on every kind of the largest events what is allowed is evaluated."""
    found = dearest("data | [*].not_null(@…)")
    assert found is not None
    assert dearest(f"{found.text[:-1]}, @)") is None
    assert all(seconds(found, event) < 1 for event in events())
