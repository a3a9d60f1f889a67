"""Looks once a second what has changed, while somebody watches the console, and tells them."""

from collections.abc import Callable, Mapping

from alertgate.clock import Clock
from alertgate.metrics import Metrics
from alertgate.session import Session
from alertgate.store import open_incidents, sessions
from alertgate.store.engine import Store
from alertgate.topic import Topic
from alertgate.web.console.hub import Hub, Stream

EVERY = 1.0
"""Seconds between two looks, and so between two hints to one viewer."""
BLIND_AFTER = 10.0
"""Seconds without a look after which no page is live: as many looks failed, or one doesn't end."""
MOST_OPEN = 1000
"""How far open incidents are counted."""
SESSIONS_EVERY = 30.0
"""Seconds after which sessions are looked at even if none was changed: they end by themselves."""


class Lookout:
    """Holds the streams of all who watch.

    `states` returns what is known in memory alone, such as whether channels are paused. `lets_in` tells whether the
    policy still knows a session's person.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        states: Callable[[], Mapping[Topic, object]],
        lets_in: Callable[[Session], bool],
        hub: Hub | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._states = states
        self._lets_in = lets_in
        self._hub = Hub() if hub is None else hub
        self._marks: Mapping[Topic, object] = {}
        self._sessions_at = 0.0
        self._looked_at = clock.monotonic()
        self.open_incidents = 0
        """How many incidents aren't over, as of the last look; at most MOST_OPEN."""

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._hub)

    @property
    def sees(self) -> bool:
        """Whether the last look that didn't fail was just now: else changes may have been missed."""
        return self._clock.monotonic() - self._looked_at <= BLIND_AFTER

    def join(self, session: Session, about: frozenset[Topic], wake: Callable[[], None]) -> Stream:
        """Open a stream. Raises RateLimited, TooManyStreams."""
        stream = self._hub.join(session, about, wake)
        self._metrics.console_streams(len(self._hub))
        return stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream that is closed."""
        self._hub.leave(stream)
        self._metrics.console_streams(len(self._hub))

    def fetched(self, seconds: float) -> None:
        """A page was fetched for a hint, and took so long."""
        self._hub.fetched(seconds)

    def close(self) -> None:
        """End all streams: the server waits for open connections before it stops."""
        self._hub.close()

    async def look(self) -> None:
        """Look what has changed, and tell whose turn it is. Nothing is asked while nobody watches."""
        if not len(self._hub):
            self._marks = {}  # whoever comes next is told of everything anyway
            self._looked_at = self._clock.monotonic()
            return
        marks = await self._look_at_marks()
        changed = {topic for topic, mark in marks.items() if self._marks.get(topic) != mark}
        self._hub.changed(changed)
        if Topic.INCIDENTS in changed:
            await self._count()
        if Topic.SESSIONS in changed or self._clock.monotonic() - self._sessions_at >= SESSIONS_EVERY:
            await self._end_sessions()
        self._marks = marks  # not sooner: a look that failed is made again
        self._looked_at = self._clock.monotonic()
        self._hub.turn()

    async def _look_at_marks(self) -> dict[Topic, object]:
        stored, known = await self._store.marks(), self._states()
        return {topic: (mark, known.get(topic)) for topic, mark in stored.items()}

    async def _count(self) -> None:
        before = self.open_incidents
        self.open_incidents = await self._store.read(lambda each: open_incidents.number(each, MOST_OPEN))
        if self.open_incidents != before:  # nobody need fetch anything for that, and so all hear it at once
            self._hub.wake()

    async def _end_sessions(self) -> None:
        """Close the streams of sessions that are over, or were revoked."""
        now, watching = self._clock.now(), {stream.session.id for stream in self._hub}
        lasting = await self._store.read(lambda connection: sessions.lasting(connection, watching, now))
        known = {stream: stream.session.id in lasting and self._lets_in(stream.session) for stream in self._hub}
        # Who came while the store was asked isn't in its answer; their request was let in a moment ago.
        self._hub.end([stream for stream, lasts in known.items() if not lasts and stream.session.id in watching])
        self._sessions_at = self._clock.monotonic()
