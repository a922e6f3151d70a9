"""What holds for every strategy, a new file's too, without a test of its own.

On generated bars of its universe always, and on recorded ones where they are.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Any

import pytest

from functions.answer import answer
from functions.decision import Decision, Hold
from functions.history import fault
from functions.registry import STRATEGIES, Strategy, load
from schemas.codec import encode
from schemas.messages import Bars, Market, Targets
from tests.functions.histories import SAMPLES_MANY, window_count

pytestmark = pytest.mark.parametrize("name", STRATEGIES)

type Histories = Callable[[Strategy], Any]

SAMPLES = 40
MESSAGE_BYTES_MAX = 1_000_000


def markets(name: str, strategy: Strategy, history: Any, samples: int = SAMPLES) -> list[Market]:
    """The messages of the last runs that the history has bars for."""
    count = window_count(strategy)
    return [history.market(name, end, count) for end in history.ends()[count:][-samples:]]


def decided(strategy: Strategy, market: Market) -> Decision:
    return strategy.decide(market, strategy.Parameters())


def answered(name: str, market: Market) -> Targets:
    found = answer(name, load(name), encode(market), {"strategy": name})
    assert found is not None
    return found


def test_it_decides_on_good_bars_and_says_why(name: str, history: Histories) -> None:
    strategy = load(name)
    found = [decided(strategy, m) for m in markets(name, strategy, history(strategy))]
    assert all(decision.reason for decision in found)
    assert not any(isinstance(decision, Hold) for decision in found)


def test_it_is_pure(name: str, history: Histories) -> None:
    strategy = load(name)
    for market in markets(name, strategy, history(strategy)):
        assert decided(strategy, market) == decided(strategy, market)


def test_it_is_causal(name: str, history: Histories) -> None:
    """Cutting later bars off changes no earlier answer."""
    strategy = load(name)
    whole = history(strategy)
    expected = markets(name, strategy, whole)
    cut_at = expected[len(expected) // 2].as_of
    count = window_count(strategy)
    for market in expected[: len(expected) // 2]:
        again = whole.until(cut_at).market(name, market.as_of, count)
        assert decided(strategy, again) == decided(strategy, market)


def test_it_never_reads_a_bar_that_is_not_finished(name: str, history: Histories) -> None:
    strategy = load(name)
    market = markets(name, strategy, history(strategy))[-1]
    early = replace(market, as_of=market.as_of - timedelta(seconds=1))
    decision = decided(strategy, early)
    assert isinstance(decision, Hold)
    assert "unfinished bar" in decision.reason


def test_it_stays_inside_its_universe_and_its_capital(name: str, history: Histories) -> None:
    strategy = load(name)
    for market in markets(name, strategy, history(strategy)):
        targets = answered(name, market).targets
        assert {t.symbol for t in targets} <= {c.symbol for c in strategy.UNIVERSE}
        prices = {
            bars.contract.con_id: Decimal(str(bars.close[-1])) * bars.contract.multiplier
            for bars in market.bars
        }
        worth = sum((abs(t.quantity) * prices[t.con_id] for t in targets), Decimal(0))
        assert worth <= market.capital


def test_it_answers_with_resolved_contracts_in_whole_shares(name: str, history: Histories) -> None:
    strategy = load(name)
    market = markets(name, strategy, history(strategy))[-1]
    targets = answered(name, market).targets
    assert targets
    assert all(t.con_id and t.quantity == t.quantity.to_integral_value() for t in targets)


def test_it_says_every_leg_whenever_it_says_one(name: str, history: Histories) -> None:
    """0 is said, never implied [T1]: a leg that is left out would be held."""
    strategy = load(name)
    for market in markets(name, strategy, history(strategy)):
        targets = answered(name, market).targets
        if targets:
            named = {target.con_id for target in targets}
            assert named == {bars.contract.con_id for bars in market.bars}


def spoiled(bars: Bars, **columns: Any) -> Bars:
    """The bars with the last value of some columns replaced."""
    changed: dict[str, Any] = {
        key: (*getattr(bars, key)[:-1], value) for key, value in columns.items()
    }
    return replace(bars, **changed)


BAD = {
    "no bars": lambda bars: replace(bars, time=(), open=(), high=(), low=(), close=(), volume=()),
    "not positive": lambda bars: spoiled(bars, close=0.0, low=0.0),
    "not a number": lambda bars: spoiled(bars, close=float("nan")),
    "negative volume": lambda bars: spoiled(bars, volume=-1.0),
    "high below close": lambda bars: spoiled(bars, high=bars.low[-1] / 2),
    "unsorted": lambda bars: spoiled(bars, time=bars.time[0]),
    "another size": lambda bars: replace(bars, size="5 mins"),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_bad_bars_of_any_leg_make_it_hold(
    name: str, made: Histories, spoil: Callable[[Bars], Bars]
) -> None:
    strategy = load(name)
    good = markets(name, strategy, made(strategy))[-1]
    for index, bars in enumerate(good.bars):
        legs = (*good.bars[:index], spoil(bars), *good.bars[index + 1 :])
        decision = decided(strategy, replace(good, bars=legs))
        assert isinstance(decision, Hold)
        assert decision.reason.startswith(bars.contract.symbol)


def test_a_missing_leg_makes_it_hold(name: str, made: Histories) -> None:
    strategy = load(name)
    good = markets(name, strategy, made(strategy))[-1]
    for index, bars in enumerate(good.bars):
        decision = decided(strategy, replace(good, bars=good.bars[:index] + good.bars[index + 1 :]))
        assert isinstance(decision, Hold)
        assert decision.reason.startswith(f"{bars.contract.symbol} has no bars")


def test_too_few_bars_make_it_hold(name: str, made: Histories) -> None:
    strategy = load(name)
    whole = made(strategy)
    market = whole.market(name, whole.ends()[-1], strategy.BARS.count_min)
    assert not fault(market, strategy.UNIVERSE, strategy.BARS)
    fewer = whole.market(name, whole.ends()[-1], strategy.BARS.count_min - 1)
    assert isinstance(decided(strategy, fewer), Hold)


def test_stale_bars_make_it_hold(name: str, made: Histories) -> None:
    strategy = load(name)
    whole = made(strategy)
    later = whole.ends()[-1] + timedelta(days=4, seconds=1)
    decision = decided(strategy, whole.market(name, later, window_count(strategy)))
    assert isinstance(decision, Hold)
    assert "stale" in decision.reason


def test_it_refuses_parameters_that_nobody_knows(name: str, made: Histories) -> None:
    strategy = load(name)
    good = markets(name, strategy, made(strategy))[-1]
    targets = answered(name, replace(good, parameters={"no_such": 1}))
    assert (targets.status, targets.targets) == ("error", ())
    assert targets.reason == "parameters: no_such: unknown field"


def test_it_changes_its_mind_now_and_then(name: str, history: Histories) -> None:
    """A strategy that always answers the same is no test of anything downstream."""
    strategy = load(name)
    sent = markets(name, strategy, history(strategy), SAMPLES_MANY)
    wanted = [[t.quantity for t in answered(name, market).targets] for market in sent]
    assert any(before != after for before, after in pairwise(wanted))


def test_every_number_that_it_says_is_one(name: str, history: Histories) -> None:
    """What indicators leave undefined must not get into targets, nor into what people read."""
    strategy = load(name)
    for market in markets(name, strategy, history(strategy)):
        answer = answered(name, market)
        said = [float(value) for value in answer.diagnostics.values() if isinstance(value, float)]
        assert all(map(isfinite, (*said, *(float(t.quantity) for t in answer.targets))))


def test_what_it_is_sent_fits_a_message(name: str, made: Histories) -> None:
    """Pub/Sub takes 10 MB; the bars of a whole universe stay far below."""
    strategy = load(name)
    market = markets(name, strategy, made(strategy))[-1]
    assert len(encode(market)) < MESSAGE_BYTES_MAX


def test_capital_that_buys_nothing_is_said_and_wants_nothing(name: str, made: Histories) -> None:
    """[N9] A weight that yields 0 is told; without any capital it holds."""
    strategy = load(name)
    market = markets(name, strategy, made(strategy))[-1]
    poor, broke = (answered(name, replace(market, capital=Decimal(c))) for c in (1, 0))
    assert poor.status == "error" or not any(target.quantity for target in poor.targets)
    assert (broke.status, "capital" in broke.reason) == ("hold", True)


def test_its_schedule_is_a_cron_line_or_empty(name: str) -> None:
    """Minute, hour, day, month, weekday, in New York; the topology makes a job of it."""
    schedule = load(name).SCHEDULE
    assert not schedule or len(schedule.split()) == 5
