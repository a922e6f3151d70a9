from typing import Any

from gateway.simulator import replies as r
from gateway.simulator import requests as q
from gateway.simulator.faults.subjects import (
    END_KINDS,
    kind_of,
    order_key,
    perm_id,
    request_id,
    symbol_of,
)

Play = Any


def test_every_message_has_a_kind_in_words(spy: Any) -> None:
    assert kind_of(q.ContractDetailsRequest(1, spy)) == "contract_details"
    assert kind_of(q.PnLSingleRequest(1, "", "", 5)) == "pnl_single"
    assert kind_of(q.PositionsMultiCancel(1)) == "positions_multi_cancel"
    assert kind_of(r.ExecutionDetailsEnd(1)) == "execution_details_end"
    assert kind_of(object()) == "object"


def test_the_ends_of_answers_are_known() -> None:
    assert {"position_end", "open_order_end", "completed_orders_end"} <= set(END_KINDS)


def test_messages_about_an_order_name_it(play: Play) -> None:
    told = play.ask(play.order(4))
    assert {order_key(reply) for reply in told[:-1]} == {(1, 4)}
    assert len({perm_id(reply) for reply in told[:-1]}) == 1
    assert (order_key(told[-1]), perm_id(told[-1])) == (None, 0)


def test_a_message_tells_its_symbol_and_request_if_it_has_one(spy: Any) -> None:
    assert symbol_of(q.ContractDetailsRequest(3, spy)) == "SPY"
    assert symbol_of(q.MatchingSymbolsRequest(3, "QQ")) == "QQ"
    assert symbol_of(q.PositionsRequest()) == ""
    assert request_id(q.ContractDetailsRequest(3, spy)) == 3
    assert request_id(q.PositionsRequest()) == -1
