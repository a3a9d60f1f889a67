"""The mail server of the torture runs: which messages it says were sent twice."""

import pytest
from aiosmtplib import SMTP
from torture.mailbox import Door, Ledger, Taken

MAIL = b"""Message-ID: <one@example.net>
References: <incident.i@example.net>
Content-Type: text/plain

WARNING mark-1. happened.
"""
LONG, NONE = 3600.0, 0.0
"""Seconds for which whoever sends waits for an answer."""


def taken(*late: bool) -> Ledger:
    """Return a ledger of the same message, as often as it is said whether it was answered late."""
    mails = [Taken(0.0, "door", "one@example.net", "me@x.y", frozenset(), "i", "WARNING", each) for each in late]
    return Ledger(mails)


@pytest.mark.parametrize(
    ("late", "copies"),
    [
        ((False,), 0),
        ((False, False), 1),
        ((False, True), 1),
        ((True, False), 0),
        ((True, True, False), 0),
        ((True, False, False), 1),
        ((False, False, False), 2),
    ],
)
def test_a_copy_counts_unless_the_answer_before_it_was_late(late, copies):
    """Whoever got no answer in time must send once more; whoever got one must not."""
    assert len(taken(*late).twice(set())) == copies
    assert taken(*late).twice({"one"}) == []


@pytest.mark.parametrize(("patience", "copies"), [(LONG, 1), (NONE, 0)], ids=["in time", "late"])
async def test_a_message_that_is_sent_twice_counts_if_it_was_answered_in_time(patience, copies):
    """The server measures by itself how long it took."""
    ledger = Ledger()
    door = Door(ledger, patience=patience)
    await door.open()
    async with SMTP(hostname="127.0.0.1", port=door.port, start_tls=False) as client:
        for _ in range(2):
            await client.sendmail("a@x.y", "me@x.y", MAIL)
    await door.close()
    assert (len(ledger.mails), len(ledger.twice(set()))) == (2, copies)
