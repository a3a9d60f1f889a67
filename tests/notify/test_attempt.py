"""The queue id in a server's reply."""

import pytest

from alertgate.notify.attempt import queue_id


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("250 2.0.0 Ok: queued as 4Z0xKq2Jn1z3hY", "4Z0xKq2Jn1z3hY"),  # Postfix
        ("250 2.0.0 OK queued as 0001", "0001"),
        ("250 OK id=1rXyZ2-000abc-1D", "1rXyZ2-000abc-1D"),  # Exim
        ("250 2.0.0 OK  1711111111 d9443c01a7336-1e0d4 - gsmtp", "d9443c01a7336-1e0d4"),  # Gmail
        ("250 2.6.0 <id@x> Queued mail for delivery", None),  # Exchange names no queue id
        ("written to data/outbox/new/1", None),
        ("250 OK", None),
    ],
)
def test_the_queue_id_is_found_where_common_servers_write_it(reply, expected):
    """Postfix, Exim and Gmail reply with the id of the queued mail."""
    assert queue_id(reply) == expected
