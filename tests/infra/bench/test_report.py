"""The tables that people read, and how rounds become them."""

import re

import pytest

from gateway.simulator import requests as q
from gateway.simulator.market.contracts import Contract
from gateway.simulator.orders.orders import OrderTerms
from infra.bench import report
from infra.bench.counts import DayCounts, difference, median
from infra.bench.figures import Sample
from infra.bench.imports import ImportTimes
from infra.bench.latency import LAST_STAGE, Round, latency
from infra.bench.orders import Passage
from infra.bench.peaks import EMPTY
from infra.bench.witness import Counts, Request

SPY = Contract(symbol="SPY")
QUIET = Counts(messages=4, commits=6, writes=9, reads=16, calls=14)
ORDERING = Counts(messages=7, commits=8, writes=20, reads=20, calls=16)
BARS = q.HistoricalDataRequest(1, SPY, False, "", "30 mins", "1 D", True, "TRADES", 2, False)
QUOTE = q.MarketDataRequest(2, SPY, "", True, False, "")


def passage() -> Passage:
    """A run that began at 100 s and ordered 0.2 s later."""
    asked = [
        (100.01, q.PositionsRequest()),
        (100.02, BARS),
        (100.05, QUOTE),
        (100.06, q.MarketDataCancel(2)),
        (100.07, q.PlaceOrder(3, SPY, OrderTerms(what_if=True))),
        (100.20, q.PlaceOrder(4, SPY, OrderTerms())),
    ]
    requests = (Request(at, 1, body, processor_seconds=at - 95) for at, body in asked)
    return Passage(100.0, tuple(requests), processor_began=5.05)


def test_a_passage_ends_with_the_order() -> None:
    assert passage().seconds == pytest.approx(0.2)


def test_a_passage_without_a_question_says_which() -> None:
    with pytest.raises(LookupError, match="ExecutionsRequest"):
        passage().until(q.ExecutionsRequest)


def test_the_stages_of_a_passage_add_up_to_it() -> None:
    found = latency([Round(passage(), 0.1, 0.02, 0.06)], {})
    assert sum(stage.median for stage in found.stages.values()) == pytest.approx(0.2)
    assert found.stages[LAST_STAGE].median == pytest.approx(0.15)


def test_the_floor_holds_the_questions_and_leaves_out_cancels_and_the_order() -> None:
    found = latency([Round(passage(), 0.1, 0.02, 0.06)], {})
    assert found.questions.median == 4
    assert found.floor.median == pytest.approx(0.12)


def test_latency_is_told_over_its_floor() -> None:
    text = report.latency("embedded", latency([Round(passage(), 0.1, 0.02, 0.06)], {}))
    assert re.search(r"command → first order at the socket +200 \(200–200\) ms", text)
    assert "1.67×" in text
    processor = next(line for line in text.splitlines() if "processor time: the path" in line)
    assert "150 (150–150) ms" in processor
    assert "2.50×" in processor
    assert "1 rounds" in text


def test_an_order_costs_what_its_run_has_more() -> None:
    assert difference(ORDERING, QUIET) == Counts(3, 2, 11, 4, 2)


def test_one_disturbed_run_does_not_count() -> None:
    assert median([QUIET, ORDERING, QUIET]) == QUIET


def test_a_day_is_told_per_run_and_per_order() -> None:
    text = report.counts(QUIET, ORDERING, DayCounts(Counts(130, 0, 0, 0, 0), 13, 10))
    assert "  per run of three strategies           10 " in text
    assert "  per order                             13 " in text


def test_imports_are_told_over_an_empty_interpreter_and_over_their_libraries() -> None:
    times = ImportTimes(ours=Sample((0.6,)), libraries=Sample((0.5,)))
    text = report.imports(Sample((0.02,)), {"gateway": times})
    assert "30×" in text
    assert "1.20×" in text


def test_memory_is_told_over_an_empty_interpreter() -> None:
    assert "9.00×" in report.peaks({EMPTY: 10_000_000, "gateway": 90_000_000})
