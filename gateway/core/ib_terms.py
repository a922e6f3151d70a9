"""How a contract trades, read off IB's contract details and market rules; prices on its increments.

The records come as `Any`: they are the client library's. What cannot be read for certain is left
out, with a sentence that says so: a guessed closing time trades at the wrong hour. Sources: IB's
contract details and market rule pages (design notes, IB, sections 1.5 and 4).
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.core.broker import Span, Terms
from gateway.core.ib_words import WINDOWS_ZONES, number
from schemas.new_york import NEW_YORK
from schemas.values import Contract

type Increments = tuple[tuple[Decimal, Decimal], ...]
"""(from price, step), rising: prices from there on are multiples of the step."""


ODD_ZONES: Final = {**WINDOWS_ZONES, "EST": "America/New_York"}
"""IB's names that are no IANA names, or mean another zone there: IB's EST has summer time."""

FIXED_ZONES: Final = frozenset({"MST", "HST"})
"""IANA names of zones without summer time; nobody knows whether IB means that by them."""

SPANS_MAX: Final = 200
"""IB tells of a week, with a break or two in each day."""

_CLOSED: Final = re.compile(r"\d{8}:CLOSED")
_SPAN: Final = re.compile(r"(\d{8}):(\d{4})-(\d{8}):(\d{4})")
_OLDER_DAY: Final = re.compile(r"(\d{8}):(\d{4}-\d{4}(?:,\d{4}-\d{4})*)")


def terms(
    contract: Contract, details: Any, rule: Increments, at: datetime
) -> tuple[Terms, tuple[str, ...]]:
    """How the contract trades, and a sentence for each part that could not be read.

    `details` are the contract's own, `rule` is the market rule of the exchange used. Where that is
    empty the smallest increment, `minTick`, stands for all prices: one that is finer than the rule
    gets the order rejected, and nothing worse.
    """
    increments = rule or _smallest(details)
    complaints = [] if rule else [_without_rule(increments, contract.exchange)]
    spans: dict[str, tuple[Span, ...]] = {}
    for name, text in (("liquid", details.liquidHours), ("trading", details.tradingHours)):
        spans[name], complaint = _hours_or_why_none(text, details.timeZoneId)
        complaints += [f"its {name} hours are left out: {complaint}"] if complaint else []
    told = Terms(contract, at, increments, spans["liquid"], spans["trading"])
    return told, tuple(complaints)


def rule_id(details: Any, exchange: str) -> int | None:
    """The market rule of a contract on an exchange; None where IB names none."""
    exchanges = (details.validExchanges or "").split(",")
    rules = (details.marketRuleIds or "").split(",")
    if len(exchanges) != len(rules) or exchange not in exchanges:
        # On all exchanges the same is on any of them the same.
        rules, index = rules if len(set(rules)) == 1 else [""], 0
    else:
        index = exchanges.index(exchange)
    return int(rules[index]) if rules[index].isdecimal() else None


def market_rule(told: Iterable[Any]) -> Increments:
    """A market rule's bands, rising; empty for one that has a band without a step."""
    bands: list[tuple[Decimal, Decimal]] = []
    for band in told:
        low, step = number(band.lowEdge), number(band.increment)
        if low is None or step is None or step <= 0:
            return ()
        bands.append((low, step))
    return tuple(sorted(bands))


def _without_rule(increments: Increments, exchange: str) -> str:
    if not increments:
        return "its price increments are left out: IB names none"
    return f"IB names no market rule on {exchange}; its step is {increments[0][1]:f} at any price"


def _smallest(details: Any) -> Increments:
    tick = number(details.minTick)
    return ((Decimal(0), tick),) if tick is not None and tick > 0 else ()


def _hours_or_why_none(text: str, zone_name: str) -> tuple[tuple[Span, ...], str]:
    try:
        return hours(text, zone_name), "" if text else "IB names none"
    except ValueError as error:
        return (), str(error)


def hours(text: str, zone_name: str) -> tuple[Span, ...]:
    """IB's `liquidHours` or `tradingHours` as spans in UTC, rising; those that touch are one.

    Both forms are read: `20260105:0930-20260105:1600;20260106:CLOSED`, in which a span may cross
    midnight, and the older `20260105:0930-1600,1700-1800`. In the older one a close before its
    opening is an error: IB meant the evening before for futures, and says so nowhere. Raises
    `ValueError` for that and for anything else that is not certain; empty text is no hours.
    """
    zone = _zone(zone_name) if text else NEW_YORK
    spans = sorted(_spans(text, zone), key=lambda span: span.opens_at)
    joined: list[Span] = []
    for span in spans:
        if joined and span.opens_at <= joined[-1].closes_at:
            closes_at = max(span.closes_at, joined[-1].closes_at)
            joined[-1] = Span(joined[-1].opens_at, closes_at)
        else:
            joined.append(span)
    return tuple(joined)


def _spans(text: str, zone: ZoneInfo) -> list[Span]:
    entries = [entry for entry in text.strip().split(";") if entry]
    if len(entries) > SPANS_MAX:
        raise ValueError(f"{len(entries)} entries are more than {SPANS_MAX}")
    return [span for entry in entries for span in _entry_spans(entry.strip(), zone)]


def _entry_spans(entry: str, zone: ZoneInfo) -> list[Span]:
    if _CLOSED.fullmatch(entry):
        return []
    older = _OLDER_DAY.fullmatch(entry)
    if older is not None:
        day, times = older.groups()
        pairs = [part.split("-") for part in times.split(",")]
        return [_span((day, opens), (day, closes), zone) for opens, closes in pairs]
    newer = [_SPAN.fullmatch(part) for part in entry.split(",")]
    if not all(newer):
        raise ValueError(f"{entry[:60]!r} is in no form that is known")
    return [_span((one[1], one[2]), (one[3], one[4]), zone) for one in newer if one]


def _span(opens: tuple[str, str], closes: tuple[str, str], zone: ZoneInfo) -> Span:
    opens_at, closes_at = _instant(*opens, zone), _instant(*closes, zone)
    if not opens_at < closes_at:
        raise ValueError(f"{':'.join(opens)} to {':'.join(closes)} closes before it opens")
    return Span(opens_at, closes_at)


def _instant(day: str, clock: str, zone: ZoneInfo) -> datetime:
    whole = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    if clock == "2400":
        whole, clock = whole + timedelta(days=1), "0000"
    wall = datetime.combine(whole, time(int(clock[:2]), int(clock[2:])), zone)
    if wall.utcoffset() != wall.replace(fold=1).utcoffset():
        raise ValueError(f"{day}:{clock} is twice or never, for the clocks are changed then")
    return wall.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    """The zone of IB's name, such as `US/Eastern` or `EST (Eastern Standard Time)`."""
    plain = (name or "").partition(" (")[0].strip()
    known = ODD_ZONES.get(plain, plain)
    try:
        if known in FIXED_ZONES:
            raise KeyError(known)
        return ZoneInfo(known)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"the zone {name!r} is not known") from None


def rounded_down(price: Decimal, increments: Increments) -> Decimal:
    """The highest price on the increments that is not above this one; it may be 0.

    Raises `ValueError` where there are no increments.
    """
    _check(increments)
    first = max(sum(low <= price for low, _ in increments) - 1, 0)
    for place in range(first, -1, -1):
        low, step = increments[place]
        found = _multiple(price, step)
        if place < first:  # a price up to the next band, which has none
            found = -_multiple(-increments[place + 1][0], step) - step
        if found >= low or place == 0:
            return found
    raise AssertionError("below any price the lowest band has a multiple of its step")


def rounded_up(price: Decimal, increments: Increments) -> Decimal:
    """The lowest price on the increments that is not below this one.

    Raises `ValueError` where there are no increments.
    """
    _check(increments)
    first = max(sum(low <= price for low, _ in increments) - 1, 0)
    for place in range(first, len(increments)):
        low, step = increments[place]
        found = -_multiple(-(price if place == first else low), step)
        if place + 1 == len(increments) or found < increments[place + 1][0]:
            return found
    raise AssertionError("above any price the highest band has a multiple of its step")


def _check(increments: Increments) -> None:
    if not increments:
        raise ValueError("IB names no price increment, so no price can be put on one")


def _multiple(price: Decimal, step: Decimal) -> Decimal:
    """The highest multiple of the step that is not above the price, exactly."""
    steps, rest = divmod(price, step)
    return (steps - 1 if rest < 0 else steps) * step
