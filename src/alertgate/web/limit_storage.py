"""The memory of the rate limits, which stays bounded: limits' own keeps a key for every address that it ever saw."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from limits.storage import MovingWindowSupport, Storage

from alertgate.clock import Clock

MOST_KEYS = 20_000
"""Addresses and devices that are remembered; beyond it, the one that was quiet longest is forgotten."""


class BoundedMemory(Storage, MovingWindowSupport):
    """The times of the latest requests of at most `most_keys` callers. Iterates over their keys, quietest first."""

    STORAGE_SCHEME = ["bounded-memory"]  # noqa: RUF012  (the base class's name and type)

    def __init__(
        self, uri: str | None = None, *, clock: Clock, most_keys: int = MOST_KEYS, wrap_exceptions: bool = False
    ) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._now = clock.monotonic
        self._most_keys = most_keys
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._longest = 0
        """Seconds of the longest limit: requests before that count nowhere any more."""

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[str]:
        return iter(self._times)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a request, unless there were `limit` in the last `expiry` seconds."""
        times = self._recent(key, expiry)
        if len(times) + amount > limit:
            return False
        times.extend([self._now()] * amount)
        self._times[key] = times
        self._times.move_to_end(key)
        self._longest = max(self._longest, expiry)
        for _ in range(2):  # twice as fast as new ones come, so that the memory shrinks again
            self._forget_quietest()
        return True

    def _forget_quietest(self) -> None:
        """Forget the key that was quiet longest, if no limit needs it or there are too many."""
        times = next(iter(self._times.values()))
        if len(self._times) > self._most_keys or not times or times[-1] <= self._now() - self._longest:
            self._times.popitem(last=False)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        """Return the start of the window and how many requests are in it."""
        times = self._recent(key, expiry)
        return (times[0] if times else self._now(), len(times))

    def _recent(self, key: str, expiry: int) -> deque[float]:
        times = self._times.get(key) or deque()
        while times and times[0] <= self._now() - expiry:
            times.popleft()
        return times

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the storage raises: nothing of its own."""
        return ValueError

    def check(self) -> bool:
        """Tell that the storage works."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        count = len(self._times)
        self._times.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one key."""
        self._times.pop(key, None)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Fixed windows aren't used here."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Fixed windows aren't used here."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Fixed windows aren't used here."""
        raise NotImplementedError
