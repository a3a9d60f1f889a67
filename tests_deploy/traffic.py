"""A fleet that keeps sending while something breaks."""

import threading
import time
from typing import Self

from tests_deploy.stack import Answer, Stack

EACH = 0.2
"""Seconds between two events: under the edge's limit."""


class Fleet:
    """Devices that each send one event, which opens its own incident and so must become its own mail."""

    def __init__(self, stack: Stack, event: str, address: str) -> None:
        self._stack = stack
        self._event = event
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.answers: dict[str, Answer] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            event = f"{self._event}/{number:03}"
            self.answers[event] = self._stack.particle(event, device=f"{number:024x}", address=self._address)
            time.sleep(EACH)

    @property
    def accepted(self) -> set[str]:
        """The events that were answered 202."""
        return {event for event, answer in self.answers.items() if answer.status == 202}

    @property
    def refused(self) -> list[int]:
        """The other statuses; 0 is no answer."""
        return [answer.status for answer in self.answers.values() if answer.status != 202]
