"""Which of those who look at the console are told that something changed, and when. Pure.

A hint makes a page fetch itself, so hints are what watching costs. They are handed out in turns, one a second: in each,
those who have waited longest get one, as many as the service can afford. A few viewers get a hint each second; of very
many each gets one more rarely, and no load grows with their number.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from alertgate.errors import RateLimited, Unavailable
from alertgate.session import Session
from alertgate.topic import Topic

MOST_HINTS = 4
"""In one turn."""
SHARE = 0.15
"""Seconds that the pages fetched for hints may take in each second, all of them together.

Four that are asked for at once wait for each other, so that together they take 2.5 times as long as the processor works
for them: it works 6 % of the time for pages, however many watch and however dear a page is. While much else is to be
done they take longer, and so there are fewer.
"""
LONGEST_DEBT = 10
"""Turns after which there are hints again, however long a page took."""
MOST_STREAMS = 500
MOST_OF_A_SESSION = 12
"""A browser has a stream for each page that can be seen."""
AGAIN_AFTER = 30
"""Seconds after which whoever got no stream may ask again."""


class TooManyStreams(Unavailable):
    """So many people look at the console that another stream would cost too much."""

    retry_after = AGAIN_AFTER


@dataclass(eq=False, slots=True)
class Stream:
    """One page that somebody looks at. It keeps what its reader hasn't taken yet, however slow they are: topics."""

    session: Session
    about: frozenset[Topic]
    """What the page shows."""
    wake: Callable[[], None] = field(repr=False)
    """Called when there is something to take, or when it is over."""
    over: bool = False
    _topics: set[Topic] = field(default_factory=set)

    def give(self, topics: Collection[Topic]) -> None:
        """Let the reader know of changes."""
        self._topics.update(topics)
        self.wake()

    def take(self) -> list[Topic]:
        """Return what has changed since the last time."""
        topics = sorted(self._topics)
        self._topics.clear()
        return topics

    def end(self) -> None:
        """Let the reader go."""
        self.over = True
        self.wake()


class Hub:
    """All streams, and whose turn it is."""

    def __init__(
        self, *, most_hints: int = MOST_HINTS, most: int = MOST_STREAMS, most_of_a_session: int = MOST_OF_A_SESSION
    ) -> None:
        self._most_hints = most_hints
        self._most = most
        self._most_of_a_session = most_of_a_session
        self._streams: dict[Stream, None] = {}
        """Who was told last comes last."""
        self._waiting: dict[Stream, set[Topic]] = {}
        """What is to be said to whom; who has waited longest comes first."""
        self._closed = False
        self._credit = SHARE
        """Seconds that pages may still take; less than nothing if the last ones took too many."""

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        """Return the open streams."""
        return iter(tuple(self._streams))

    def join(self, session: Session, about: frozenset[Topic], wake: Callable[[], None]) -> Stream:
        """Open a stream. Its page may be old already, so it is told of everything once.

        Raises RateLimited, TooManyStreams.
        """
        if self._closed:
            raise TooManyStreams("The service is stopping.")
        if len(self) >= self._most:
            raise TooManyStreams(f"{self._most} pages are live already. This one stays as it is until it is reloaded.")
        if sum(stream.session.id == session.id for stream in self._streams) >= self._most_of_a_session:
            raise RateLimited(
                f"{self._most_of_a_session} pages of this session are live already.", retry_after=AGAIN_AFTER
            )
        stream = Stream(session, about, wake)
        self._streams[stream] = None
        self._waiting[stream] = set(about)
        return stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream that is closed."""
        self._streams.pop(stream, None)
        self._waiting.pop(stream, None)

    def changed(self, topics: Collection[Topic]) -> None:
        """Something was changed: who shows it is to be told."""
        for stream in self._streams:
            if seen := stream.about.intersection(topics):
                self._waiting.setdefault(stream, set()).update(seen)

    def wake(self) -> None:
        """Wake all readers, for something that no page need be fetched for."""
        for stream in self._streams:
            stream.wake()

    def fetched(self, seconds: float) -> None:
        """A page that was fetched for a hint took so long."""
        self._credit = max(self._credit - seconds, -SHARE * LONGEST_DEBT)

    def turn(self) -> None:
        """Tell those who have waited longest, unless the pages fetched lately took too long."""
        self._credit = min(self._credit + SHARE, SHARE)
        if self._credit <= 0:
            return
        for stream in list(self._waiting)[: self._most_hints]:
            stream.give(self._waiting.pop(stream))
            self._streams[stream] = self._streams.pop(stream)

    def end(self, streams: Sequence[Stream]) -> None:
        """Close these streams."""
        for stream in streams:
            self.leave(stream)
            stream.end()

    def close(self) -> None:
        """Close all streams, and let no other one in."""
        self._closed = True
        self.end(list(self))
