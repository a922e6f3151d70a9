"""The cases against the simulator, right and wrong: a wrong one must be found out by name."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.simulator.conformance.case import Case, Differs, Kind, Outcome, Unsuited
from gateway.simulator.conformance.safety import CannotRun
from gateway.simulator.conformance.talk import Talk
from gateway.simulator.server import Simulator

EXPECTED_KNOWN = [
    "option_chains_of_an_underlying_come_before_their_end",
    "bars_that_are_kept_up_to_date_go_on",
]


def named(played: Any, outcome: Outcome) -> list[str]:
    return [item.name for item in played.report.results if item.outcome is outcome]


@pytest.mark.parametrize("version", [157, 176, 178])
def test_the_simulator_does_what_ib_documents(stage: Any, reading: Any, version: int) -> None:
    played = stage(setting={"client_version": version}).play(reading)
    assert named(played, Outcome.DIFFERS) == []
    assert named(played, Outcome.ERROR) == []
    assert named(played, Outcome.KNOWN) == EXPECTED_KNOWN
    assert named(played, Outcome.SKIPPED) == ["a_bar_comes_every_five_seconds"]
    assert played.report.exit_code == 0
    assert played.report.gateway["server_version"] == version


def test_asking_changes_nothing_at_the_broker(stage: Any, reading: Any) -> None:
    played = stage().play(reading)
    assert not played.simulator.exchange.working_orders
    assert {key: int(held) for key, held in played.simulator.exchange.positions.items()} == {
        "SPY": 50
    }
    assert played.report.is_clean


@pytest.mark.parametrize(("minutes", "trades"), [(379, True), (381, False)])
def test_nothing_is_traded_that_could_not_be_undone_before_the_close(
    stage: Any, minutes: int, trades: bool
) -> None:
    async def notes(talk: Talk) -> None:
        talk.note("it was run")

    case = Case("a_case", Kind.TRADE, (), notes, "tells", "source", "chapter")
    played = stage(after_opening=timedelta(minutes=minutes)).play([case])
    (result,) = played.report.results
    assert result.outcome is (Outcome.PASSED if trades else Outcome.SKIPPED)
    assert trades or "minutes to the close" in result.reason


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "missing end of executions": (
        "missing_end",
        {"kind": "execution_details_end"},
        "executions_come_before_their_end",
    ),
    "missing end of positions": (
        "missing_end",
        {"kind": "position_end"},
        "positions_come_before_their_end",
    ),
    "missing end of the account": (
        "missing_end",
        {"kind": "account_download_end"},
        "account_values_come_before_their_end",
    ),
    "answers that come twice": (
        "duplicated_answers",
        {"kind": "executions"},
        "executions_come_before_their_end",
    ),
    "a refused request": (
        "refused_requests",
        {"kind": "current_time", "code": 321},
        "the_current_time_does_not_go_backwards",
    ),
    "an unanswered request": (
        "unanswered_requests",
        {"kind": "market_rule"},
        "a_market_rule_begins_at_0_and_rises",
    ),
    "a field too many": (
        "miscounted_fields",
        {"kind": "position", "extra": 1, "times": 100},
        "positions_come_before_their_end",
    ),
    "a field too few": (
        "miscounted_fields",
        {"kind": "position", "extra": -1, "times": 100},
        "positions_come_before_their_end",
    ),
    "positions that come twice": (
        "duplicated_messages",
        {"kind": "position", "copies": 1},
        "positions_come_before_their_end",
    ),
    "bars that never come": (
        "missing_end",
        {"kind": "historical_data"},
        "five_days_are_five_daily_bars",
    ),
    "a silent market": ("silent_market_data", {}, "a_snapshot_ends"),
    "an account value that never comes": (
        "missing_account_values",
        {"key": "NetLiquidation"},
        "summary_and_updates_agree",
    ),
    "crossed quotes": ("crossed_quotes", {"by": 1}, "the_bid_is_below_the_ask"),
    "a clock that is ahead": (
        "clock_skew",
        {"ahead_seconds": 600},
        "the_current_time_is_that_of_the_greeting",
    ),
    "messages that come twice": (
        "duplicated_messages",
        {"kind": "contract_details_end", "copies": 1},
        "a_client_that_reads_late_loses_nothing",
    ),
    "messages that never come": (
        "missing_messages",
        {"kind": "tick_request_parameters"},
        "a_stream_begins_with_its_parameters",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_gateway_is_found_out(stage: Any, cases: dict[str, Case], name: str) -> None:
    fault, parameters, case = FAULTS[name]

    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject(fault, **parameters)

    right, wrong = stage().play([cases[case]]), stage(prepare=prepare).play([cases[case]])
    assert named(right, Outcome.PASSED) == [case]
    assert named(wrong, Outcome.DIFFERS) == [case]
    (result,) = wrong.report.results
    assert result.expected
    assert result.heard
    assert wrong.report.exit_code == 1


@pytest.mark.parametrize(
    ("fault", "parameters", "said"),
    [
        ("half_dead_gateway", {}, "answers nothing"),
        ("half_dead_gateway", {"welcome": "reset"}, "ended the connection"),
        ("no_next_valid_id", {}, "no next order id"),
        ("no_accounts", {}, "no account"),
        ("client_id_locked", {"client_id": 880}, "326"),
    ],
)
def test_a_gateway_that_cannot_be_talked_to_is_said_so(
    stage: Any, reading: list[Case], fault: str, parameters: dict[str, Any], said: str
) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject(fault, **parameters)

    with pytest.raises(CannotRun, match=said):
        stage(prepare=prepare).play(reading[:1])


def test_a_login_with_an_account_that_is_not_paper_is_left_at_once(
    stage: Any, reading: list[Case]
) -> None:
    heard: list[Simulator] = []

    def prepare(simulator: Simulator) -> None:
        simulator.faults.second_account(account="U1234567")
        heard.append(simulator)

    with pytest.raises(CannotRun, match="U1234567 does not begin with DU"):
        stage(prepare=prepare).play(reading)


def test_a_read_only_api_is_told_before_a_trading_run(stage: Any, cases: dict[str, Case]) -> None:
    def prepare(simulator: Simulator) -> None:
        simulator.faults.read_only_api()

    with pytest.raises(CannotRun, match="read-only"):
        stage(prepare=prepare).play([trading(_nothing)])
    played = stage(prepare=prepare).play([cases["open_orders_come_before_their_end"]])
    assert named(played, Outcome.SKIPPED) == ["open_orders_come_before_their_end"]


async def _nothing(talk: Talk) -> None:
    """Trades nothing."""


def case_of(body: Callable[[Talk], Any], kind: Kind, seconds_max: float = 60) -> Case:
    return Case(body.__name__, kind, (), body, "tells", "source", "chapter", seconds_max)


def trading(body: Callable[[Talk], Any]) -> Case:
    return case_of(body, Kind.TRADE)


def test_a_defect_of_a_case_is_an_error_and_the_others_go_on(stage: Any, reading: Any) -> None:
    async def breaks(talk: Talk) -> None:
        raise KeyError("a defect")

    async def never_ends(talk: Talk) -> None:
        await asyncio.sleep(1000)

    async def cannot_be_told(talk: Talk) -> None:
        raise Unsuited("no shares to borrow")

    bodies = [case_of(body, Kind.READ) for body in (breaks, never_ends, cannot_be_told)]
    played = stage().play([*bodies, reading[0]])
    assert [result.outcome for result in played.report.results] == [
        Outcome.ERROR,
        Outcome.ERROR,
        Outcome.SKIPPED,
        Outcome.PASSED,
    ]
    assert "a defect" in played.report.results[0].reason
    assert "not done within 60 seconds" in played.report.results[1].reason
    assert played.report.exit_code == 2


def test_an_id_that_is_free_only_after_a_while_is_waited_for(stage: Any, reading: Any) -> None:
    """ib_async #152: a gateway may hold an id for a moment after its connection ended."""

    def prepare(simulator: Simulator) -> None:
        simulator.faults.inject("client_id_locked", client_id=880, seconds=4, now=False)

    played = stage(prepare=prepare).play([*reading[:3], trading(_nothing)])
    assert [item.outcome for item in played.report.results] == [Outcome.PASSED] * 4


def test_a_report_does_not_name_the_account(stage: Any) -> None:
    async def names_it(talk: Talk) -> None:
        raise Differs(f"rows of {talk.account}", f"other rows than {talk.account}'s")

    (result,) = stage().play([case_of(names_it, Kind.READ)]).report.results
    assert (result.expected, result.heard) == ("rows of DU...", "other rows than DU...'s")


def test_a_gateway_that_goes_away_is_told_and_not_asked_for_ever(
    stage: Any, reading: list[Case]
) -> None:
    simulators: list[Simulator] = []

    async def takes_it_down(talk: Talk) -> None:
        simulators[0].faults.inject("gateway_down", seconds=100_000)

    played = stage(prepare=simulators.append).play(
        [case_of(takes_it_down, Kind.READ), *reading[:6]]
    )
    assert [item.outcome for item in played.report.results[1:]] == [Outcome.ERROR] * 6
    assert played.report.results[-1].reason == "the gateway is gone"
