"""What the options of the command line come to."""

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.simulator.command_line import (
    RULES,
    FaultOption,
    exchange_of,
    exchange_options,
    parser,
    server_options,
)
from gateway.simulator.market.bars import BarBook
from gateway.simulator.orders.fill_models import fill_model
from gateway.simulator.outages import OutagePlan


def test_a_rich_account_is_described_by_options() -> None:
    text = "--bars x --cash 5000 --cash EUR=100 --cash GBP=7 --exchange-rate EUR=1.08 --seed 3"
    made = exchange_options(parser().parse_args(text.split()))
    assert (made.cash, made.seed) == (Decimal(5000), 3)
    assert made.cash_by_currency == {"EUR": Decimal(100), "GBP": Decimal(7)}
    assert made.exchange_rates == {"EUR": Decimal("1.08")}


def test_slippage_and_volume_share_change_the_chosen_fill_model() -> None:
    plain = exchange_options(parser().parse_args(["--bars", "x", "--fill-model", "touch"]))
    assert fill_model(plain.fill_model).name == "touch"
    text = "--bars x --fill-model touch --slippage 3 --volume-share 0.5 --half-spread 0.05"
    made = exchange_options(parser().parse_args(text.split()))
    model = fill_model(made.fill_model)
    assert (model.through, model.slippage_bp, model.volume_share) == (
        False,
        Decimal(3),
        Decimal("0.5"),
    )
    assert made.half_spread == Decimal("0.05")


@pytest.mark.parametrize(
    ("text", "pacing"),
    [("", "reject"), ("--speed 1", "reject"), ("--speed 0", "off"), ("--speed 60", "off")],
)
def test_messages_are_paced_by_default_where_time_is_real(text: str, pacing: str) -> None:
    assert server_options(parser().parse_args(["--bars", "x", *text.split()])).pacing == pacing


def test_the_pacing_that_was_asked_for_is_taken() -> None:
    text = "--bars x --pacing pace --speed 9"
    assert server_options(parser().parse_args(text.split())).pacing == "pace"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_off_until_it_is_asked_for(rule: str) -> None:
    off = exchange_options(parser().parse_args(["--bars", "x"]))
    on = exchange_options(parser().parse_args(["--bars", "x", "--" + rule.replace("_", "-")]))
    assert (getattr(off, rule), getattr(on, rule)) == (False, True)


def test_outages_are_planned_by_options() -> None:
    text = "--bars x --restart-at 23:45 --restart-ids-back 4 --weekly-login --login-hours 8"
    assert server_options(parser().parse_args(text.split())).outages == OutagePlan(
        restart_at=time(23, 45), restart_ids_back=4, weekly_login=True, login_hours=8.0
    )


def test_faults_are_named_with_their_parameters() -> None:
    arguments = [
        "--bars",
        "x",
        "--fault",
        "silent_loss after=booking order=3",
        "--fault",
        "x y=true",
    ]
    assert parser().parse_args(arguments).fault == [
        FaultOption("silent_loss", {"after": "booking", "order": "3"}),
        FaultOption("x", {"y": True}),
    ]


def test_contracts_of_a_file_stand_beside_the_known_ones(book: BarBook, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[[contract]]\n"
        'con_id = 4711\nsymbol = "MINE"\nlong_name = "MINE INC"\nprimary_exchange = "NYSE"\n'
    )
    options = parser().parse_args(["--bars", "x", "--contracts", str(path)])
    exchange = exchange_of(options, book)
    assert exchange.listing("MINE").con_id == 4711
    assert exchange.listing("SPY").con_id == 756733
