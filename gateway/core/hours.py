"""When a contract trades, by the spans that the broker names for it (`broker.Terms`)."""

from collections.abc import Sequence
from datetime import datetime

from gateway.core.broker import Span
from schemas.new_york import NEW_YORK


def session_at(spans: Sequence[Span], at: datetime) -> Span | None:
    """The span that trades at a time: from its opening on, up to and without its close."""
    return next((span for span in spans if span.opens_at <= at < span.closes_at), None)


def next_opening(spans: Sequence[Span], at: datetime) -> datetime | None:
    """When it opens next, or None where nothing is told of that."""
    return next((span.opens_at for span in spans if at < span.opens_at), None)


def in_new_york(at: datetime) -> str:
    """A time for the eye: `Mon 2026-01-05 09:30 New York`."""
    return f"{at.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M} New York"
