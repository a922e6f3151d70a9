from decimal import Decimal

import pytest

from gateway.simulator import replies as r
from gateway.simulator.conformance.hearing import Heard, Unknown, understand
from gateway.simulator.market.contracts import Contract
from gateway.simulator.wire.messages import encode_reply

POSITION = r.Position("DU1", Contract(756733, "SPY", "STK"), Decimal(5), Decimal(600))
EXECUTION = (
    "11 7 3 756733 SPY STK _ 0 _ _ ARCA USD SPY SPY 0001.01 TIME DU1 ARCA BOT 1 600.5 12 880 0 1 "
    "600.5 ref _ _ _ 2 0"
)


def execution(time: str) -> tuple[str, ...]:
    words = ["" if word == "_" else word for word in EXECUTION.split()]
    return tuple(time if word == "TIME" else word for word in words)


@pytest.mark.parametrize("version", [157, 176, 178])
def test_a_message_is_understood_as_it_was_meant(version: int) -> None:
    assert understand(tuple(encode_reply(POSITION, version)), version) == (POSITION, "")


def test_a_field_too_many_is_told_and_the_message_kept() -> None:
    reply, trouble = understand((*encode_reply(POSITION, 178), "new"), 178)
    assert reply == POSITION
    assert trouble == "Position has 1 fields too many"


def test_a_field_too_few_is_told() -> None:
    reply, trouble = understand(tuple(encode_reply(POSITION, 178)[:-1]), 178)
    assert reply == Unknown("61")
    assert trouble.startswith("message 61")


@pytest.mark.parametrize("number", ["999", "x", "", "123456789"])
def test_an_unknown_message_is_kept_as_it_is(number: str) -> None:
    assert understand((number, "1", "2"), 178) == (Unknown(number), "")


def test_an_unset_number_is_no_trouble() -> None:
    reply, trouble = understand(("94", "7", "1.7976931348623157E308", "0", "0"), 178)
    assert (reply.request_id, trouble) == (7, "")


def test_an_execution_whose_time_has_an_unknown_zone_is_not_lost() -> None:
    """ib.md 1.2: clients lose the fill over a Windows zone; here it is told and kept."""
    right, no_trouble = understand(execution("20251212 10:00:00 US/Eastern"), 178)
    reply, trouble = understand(execution("20251212 10:00:00 Eastern Standard Time"), 178)
    assert no_trouble == ""
    assert "Eastern Standard Time" in trouble
    assert reply.execution.quantity == right.execution.quantity == 1
    assert reply.order_ref == "ref"


def test_what_a_message_is_about_is_its_request_order_or_notice_id() -> None:
    def heard(reply: object) -> Heard:
        return Heard(0, 0.0, ("1",), reply)

    assert heard(r.PositionMultiEnd(7)).id == 7
    assert heard(r.Notice(-1, 2104, "ok")).id == -1
    assert heard(r.Notice(-1, 2104, "ok")).code == 2104
    assert heard(POSITION).id is None
    assert heard(POSITION).code == 0
    assert heard(Unknown("999")).kind == "Unknown 999"
