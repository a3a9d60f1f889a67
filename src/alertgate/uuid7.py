"""UUIDv7: ids that sort by the time at which they were made. Pure."""

from datetime import UTC, datetime, timedelta
from uuid import UUID


def time_of(made: str) -> datetime:
    """Return when a UUIDv7 was made, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=UUID(made).int >> 80)


def uuid7(at: datetime, randomness: bytes) -> str:
    """Return a UUIDv7 (RFC 9562, 5.7) for an aware time and 8 random bytes.

    48 bits of Unix milliseconds, then 12 of the fraction of a millisecond (6.2, method 3), then 62 random ones: ids
    sort by time down to the microsecond.
    """
    microseconds = int(at.timestamp()) * 1_000_000 + at.microsecond
    milliseconds, rest = divmod(microseconds, 1000)
    low = int.from_bytes(randomness[:8], "big") & (1 << 62) - 1
    digits = f"{milliseconds << 80 | 0x7 << 76 | (rest << 12) // 1000 << 64 | 0x2 << 62 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
