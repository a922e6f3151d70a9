from decimal import Decimal
from typing import Any

import pytest

from gateway.core.broker import Quote
from gateway.core.prices import reference


def quoted(build: Any, *prices: int | None) -> Quote:
    bid, ask, last = (None if price is None else Decimal(price) for price in prices)
    return Quote(build.spy, build.now, bid, ask, last)


@pytest.mark.parametrize(
    ("prices", "value", "source"),
    [
        ((99, 102, 90), "100.5", "middle of the quote"),
        ((99, None, 90), "90", "last trade"),
        ((None, 102, 90), "90", "last trade"),
        ((99, None, None), "100", "last close"),
        ((None, None, None), "100", "last close"),
    ],
)
def test_the_reference_is_the_first_that_there_is(
    build: Any, prices: tuple[int | None, ...], value: str, source: str
) -> None:
    """[N4] The middle of a quote, else the last trade, else the last finished bar's close."""
    close = build.price()
    found = reference(quoted(build, *prices), close)
    assert found is not None
    assert found.value == Decimal(value)
    assert found.source == (close.source if source == "last close" else source)
    assert found.last_close == close.value


def test_without_quote_and_close_there_is_no_reference() -> None:
    """[N4] Never a guess."""
    assert reference(None, None) is None


def test_a_close_keeps_its_own_time(build: Any) -> None:
    """[N4] A bar's close from an hour ago is an hour old, however new the request."""
    close = build.price(age_seconds=3600)
    found = reference(None, close)
    assert found is not None
    assert found.age_seconds(build.now) == 3600


@pytest.mark.parametrize(
    ("prices", "spread"),
    [
        ((99, 102, 90), Decimal(3)),
        ((102, 99, 90), Decimal(3)),
        ((99, None, 90), None),
        ((None, None, None), None),
    ],
)
def test_only_the_middle_of_a_quote_has_a_spread(
    build: Any, prices: tuple[int | None, ...], spread: Decimal | None
) -> None:
    """For the limit on wide quotes: what a trade or a close was quoted at, nobody says."""
    found = reference(quoted(build, *prices), build.price())
    assert found is not None
    assert found.spread == spread


def test_where_no_run_has_read_bars_a_price_has_no_close_beside_it(build: Any) -> None:
    found = reference(quoted(build, 99, 102, 90), None)
    assert found is not None
    assert found.last_close is None


def test_delayed_prices_stay_marked(build: Any) -> None:
    quote = Quote(build.spy, build.now, last=Decimal(100), delayed=True)
    found = reference(quote, None)
    assert found is not None
    assert found.delayed
