"""A strategy's document against its file: a sentence for each difference."""

from dataclasses import replace

import pytest

from functions.registry import StrategySpec, specs
from infra.init import strategy_documents
from infra.strategy_files import differences
from schemas.codec import from_document
from schemas.settings import StrategyDocument
from schemas.values import BarSpec, Contract

QQQ, VIXY = Contract("QQQ", primary_exchange="NASDAQ"), Contract("VIXY")
MES, DAYS = Contract("MES", "FUT", "CME"), BarSpec("1 day", "120 D", 100)
SPEC = StrategySpec((QQQ,), DAYS, "45 9 * * 1-5")
DOCUMENT = StrategyDocument(enabled=True, universe=(QQQ,), bars=DAYS)
FILE = "functions/strategies/mine.py"


def told(document: StrategyDocument, spec: StrategySpec = SPEC) -> list[tuple[bool, str]]:
    return [(one.is_problem, one.sentence) for one in differences("mine", document, spec)]


@pytest.mark.parametrize("name", specs())
def test_what_init_makes_of_a_file_differs_from_it_in_nothing(name: str) -> None:
    made = strategy_documents(specs())[f"strategies/{name}"]
    assert differences(name, from_document(StrategyDocument, made), specs()[name]) == []


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (
            replace(DOCUMENT, universe=()),
            f"universe: is empty, so it is never asked; {FILE} reads QQQ",
        ),
        (
            replace(DOCUMENT, universe=(QQQ, VIXY)),
            f"universe: has VIXY, which {FILE} does not read",
        ),
        (
            replace(DOCUMENT, bars=replace(DAYS, size="30 mins")),
            f"bars.size: is 30 mins, and {FILE} reads 1 day, so it would hold; set it to 1 day",
        ),
        (
            replace(DOCUMENT, bars=replace(DAYS, duration="60 D")),
            f"bars.duration: is 60 D, and {FILE} says 120 D",
        ),
        (
            replace(DOCUMENT, bars=replace(DAYS, regular_hours_only=False)),
            f"bars.regular_hours_only: is False, and {FILE} says True",
        ),
    ],
)
def test_each_difference_is_a_sentence(document: StrategyDocument, sentence: str) -> None:
    """A problem where it could do nothing but hold; of one that nobody asks, nothing is."""
    is_problem = "would hold" in sentence or "never asked" in sentence
    assert told(document) == [(is_problem, sentence)]
    assert told(replace(document, enabled=False)) == [(False, sentence)]


def test_a_contract_that_the_file_needs_is_named() -> None:
    spec = replace(SPEC, universe=(QQQ, VIXY, MES))
    lacks = f"universe: lacks VIXY, MES, which {FILE} reads, so it would hold; add it"
    assert told(DOCUMENT, spec) == [(True, lacks)]


@pytest.mark.parametrize(
    ("universe", "is_there"),
    [
        ((MES,), True),
        ((replace(MES, local_symbol="MESH6"), replace(MES, last_trade_date="202606")), True),
        ((replace(MES, local_symbol="MESH6"),), False),
        ((Contract("MES"),), False),
        ((replace(MES, symbol="ES"),), False),
    ],
)
def test_a_future_without_a_month_needs_the_chain_or_two_months(
    universe: tuple[Contract, ...], is_there: bool
) -> None:
    found = told(replace(DOCUMENT, universe=universe), replace(SPEC, universe=(MES,)))
    assert any("lacks MES" in sentence for _, sentence in found) is not is_there


@pytest.mark.parametrize(
    ("written", "is_read"),
    [
        (Contract("QQQ", con_id=320227571), True),
        (Contract("", local_symbol="QQQ"), True),
        (Contract("QQQ", currency="CAD"), False),
        (Contract("QQ"), False),
    ],
)
def test_a_contract_may_be_described_in_other_words(written: Contract, is_read: bool) -> None:
    assert (told(replace(DOCUMENT, universe=(written,))) == []) is is_read


def test_a_month_may_be_six_digits_long() -> None:
    june = replace(MES, last_trade_date="202606")
    day = replace(MES, last_trade_date="20260618")
    spec = replace(SPEC, universe=(june,))
    assert told(replace(DOCUMENT, universe=(day,)), spec) == []
    assert told(replace(DOCUMENT, universe=(replace(day, last_trade_date="20260918"),)), spec)
