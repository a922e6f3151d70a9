"""What is in force and where it comes from; what a document would change."""

from typing import Any

import pytest

from gateway.core.configuration import Written
from infra.settings_diff import changes, differing, flat, in_force
from schemas.codec import Invalid
from schemas.settings import Settings, StrategyDocument
from schemas.values import Contract, Mode


def written(**documents: dict[str, Any]) -> Written:
    return Written(Mode.PAPER, {n.replace("__", "/"): d for n, d in documents.items()})


def test_each_setting_that_is_not_the_default_is_told_with_its_source() -> None:
    found = written(
        config__common={"fresh_minutes": 5, "answer_seconds": 7, "rebalance_band": "0.01"},
        config__paper={"fresh_minutes": 9, "order_policy": {"tif": "IOC"}},
        config__live={"coalesce_seconds": 9},
    )
    assert in_force(found) == [
        "fresh_minutes = 9  from config/paper  (default 60)",
        "answer_seconds = 7  from config/common  (default 60)",
        'order_policy.tif = "IOC"  from config/paper  (default "DAY")',
    ]


def test_by_default_nothing_is_told() -> None:
    assert in_force(written()) == []


def test_a_file_is_told_by_field_and_by_what_comes_into_force() -> None:
    before = written(config__common={"fresh_minutes": 5}, config__paper={"answer_seconds": 7})
    assert changes(before, "config/paper", {"fresh_minutes": 9}) == [
        "config/paper: answer_seconds 7 -> (absent)",
        "config/paper: fresh_minutes (absent) -> 9",
        "in force: fresh_minutes 5 -> 9",
        "in force: answer_seconds 7 -> 60",
    ]


def test_what_the_mode_says_itself_stays_in_force() -> None:
    before = written(config__paper={"fresh_minutes": 9})
    assert changes(before, "config/common", {"fresh_minutes": 5}) == [
        "config/common: created",
        "config/common: fresh_minutes (absent) -> 5",
    ]


def test_a_file_may_mend_what_cannot_be_read_now() -> None:
    before = written(strategies__a={"weight": "lots", "enabled": True})
    assert changes(before, "strategies/a", {"weight": "0.5", "enabled": True}) == [
        "strategies/a: weight (absent) -> 0.5"
    ]


def test_the_same_document_changes_nothing() -> None:
    before = written(strategies__a={"weight": "0.5"})
    assert changes(before, "strategies/a", {"weight": "0.5", "weight_number": 0.5}) == []


def test_a_file_that_cannot_be_read_or_is_for_nobody_is_refused() -> None:
    with pytest.raises(Invalid, match="weight: must be a number"):
        changes(written(), "strategies/a", {"weight": "lots"})
    with pytest.raises(ValueError, match="runs/r1 is no document of people's"):
        changes(written(), "runs/r1", {})


def test_a_strategy_is_compared_with_what_init_makes() -> None:
    seed = {"enabled": True, "weight": "0.4"}
    assert differing("strategies/a", {"enabled": True, "weight": "0.5"}, seed) == [
        "strategies/a: weight 0.4 -> 0.5"
    ]


def test_contracts_are_told_in_a_few_words() -> None:
    document = StrategyDocument(universe=(Contract("SPY"), Contract("ES", "FUT", "CME")))
    assert flat(document)["universe"] == "[SPY STK SMART USD, ES FUT CME USD]"


def test_a_record_inside_a_record_has_dotted_names() -> None:
    assert flat(Settings())["order_policy.adaptive_priority"] == '"Normal"'
