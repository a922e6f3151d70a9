from decimal import Decimal
from typing import Any

import pytest

from gateway.simulator.faults import FaultError
from gateway.simulator.faults.accounts import HandTrade, WrongPosition
from gateway.simulator.faults.answers import ExecutionZone
from gateway.simulator.faults.connections import ConnectionReset
from gateway.simulator.faults.delays import LateAcks, SilentLoss
from gateway.simulator.faults.fault import Fault
from gateway.simulator.faults.orderings import DuplicatedStatuses
from gateway.simulator.faults.parameters import parameters_of, read_parameters
from gateway.simulator.faults.refusals import MisleadingNotice


def test_a_faults_own_parameters_come_before_those_of_the_selection() -> None:
    names = list(parameters_of(SilentLoss))
    assert names[:2] == ["after", "until"]
    assert set(names[2:]) == {"client_id", "symbol", "times", "probability", "order", "order_ref"}


def test_a_parameter_tells_what_it_wants() -> None:
    known = parameters_of(HandTrade)
    assert known["traded_symbol"].required
    assert known["price"].default is None
    assert {name: known[name].wanted for name in ("price", "times", "probability")} == {
        "price": "a decimal",
        "times": "an integer",
        "probability": "a number",
    }


@pytest.mark.parametrize(
    ("fault", "given", "read"),
    [
        (LateAcks, {"seconds": "1.5"}, {"seconds": 1.5}),
        (LateAcks, {"order": "3"}, {"order": 3}),
        (WrongPosition, {"difference": 1.1}, {"difference": Decimal("1.1")}),
        (
            HandTrade,
            {"traded_symbol": "SPY", "price": None},
            {"traded_symbol": "SPY", "price": None},
        ),
        (ConnectionReset, {"in_frame": True}, {"in_frame": True}),
        (MisleadingNotice, {"code": "404"}, {"code": 404}),
    ],
)
def test_values_are_read_by_their_type(
    fault: type[Fault], given: dict[str, Any], read: dict[str, Any]
) -> None:
    assert read_parameters(fault, given) == read


@pytest.mark.parametrize(
    ("fault", "given", "complaint"),
    [
        (LateAcks, {"seconds": "soon"}, "seconds='soon' is not a number"),
        (LateAcks, {"seconds": float("inf")}, "seconds=inf is not a number"),
        (LateAcks, {"seconds": True}, "seconds=True is not a number"),
        (WrongPosition, {"difference": True}, "difference=True is not a decimal"),
        (LateAcks, {"order": 1.5}, "order=1.5 is not an integer"),
        (LateAcks, {"order_ref": 5}, "order_ref=5 is not a text"),
        (WrongPosition, {"difference": "many"}, "difference='many' is not a decimal"),
        (WrongPosition, {"difference": None}, "difference=None is not a decimal"),
        (WrongPosition, {"difference": "NaN"}, "difference='NaN' is not a decimal"),
        (ConnectionReset, {"in_frame": "yes"}, "in_frame='yes' is not true or false"),
        (SilentLoss, {"after": "lunch"}, "after='lunch' is not one of sending, booking"),
        (SilentLoss, {"oder": 3}, "has no parameter 'oder': did you mean 'order'"),
        (SilentLoss, {"xyzzy": 3}, "has no parameter 'xyzzy': it has after, until"),
        (LateAcks, {"seconds": -1}, "seconds=-1 is below 0"),
        (LateAcks, {"seconds": 1e300}, "seconds is beyond 31622400"),
        (DuplicatedStatuses, {"copies": 2**63}, "copies is beyond 100"),
        (WrongPosition, {"difference": "1e13"}, "difference='1e13' is not a decimal"),
        (WrongPosition, {"difference": "1e-13"}, "difference='1e-13' is not a decimal"),
        (WrongPosition, {"difference": 10**13}, "difference is beyond 1000000000000"),
        (LateAcks, {"order": 10**13}, "order is beyond 1000000000000"),
        (ExecutionZone, {"zone": "x" * 300}, "zone has more than 200 characters"),
        (HandTrade, {}, "hand_trade needs traded_symbol"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    fault: type[Fault], given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FaultError, match=complaint):
        read_parameters(fault, given)
