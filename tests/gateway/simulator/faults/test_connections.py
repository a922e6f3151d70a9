from typing import Any

import pytest

from gateway.simulator.faults import FaultError, Welcome
from gateway.simulator.replies import CommissionReport, Cut, ManagedAccounts, Miscounted, Raw
from gateway.simulator.requests import CurrentTimeRequest
from gateway.simulator.wire.codec import FrameReader
from gateway.simulator.wire.messages import encode_reply

Play = Any


def welcomes(play: Play, count: int) -> list[Welcome]:
    return [play.stage.welcome(play.now) for _ in range(count)]


def refusal(play: Play, client: int = 1) -> int:
    notice = play.stage.admit(client, play.now)
    return 0 if notice is None else int(notice.code)


@pytest.mark.parametrize(("kind", "welcome"), [("silent", "SILENT"), ("reset", "RESET")])
def test_a_half_dead_gateway_accepts_and_never_answers(play: Play, kind: Any, welcome: str) -> None:
    """gnzsnz/ib-gateway-docker #336."""
    play.faults.half_dead_gateway(welcome=kind, times=2)
    assert welcomes(play, 3) == [Welcome[welcome], Welcome[welcome], Welcome.ANSWER]


def test_next_valid_id_never_comes(play: Play) -> None:
    play.faults.no_next_valid_id(client_id=1)
    assert play.story(play.reconnect())[0] == "accounts DUSIM0001"
    assert "id 1" not in play.story(play.reconnect())
    assert "id 1" in play.story(play.connect(2))


def test_managed_accounts_come_empty(play: Play) -> None:
    play.faults.no_accounts()
    assert play.reconnect()[0] == ManagedAccounts("")


def test_a_client_id_stays_locked_after_a_crash(play: Play) -> None:
    """ib_async #152: 326 for a while."""
    play.faults.client_id_locked(seconds=60, now=False)
    assert refusal(play) == 0
    play.stage.disconnect(1, play.now)
    assert (refusal(play, 1), refusal(play, 2)) == (326, 0)
    play.wait(60)
    assert refusal(play) == 0


def test_a_client_id_may_be_locked_from_the_start(play: Play) -> None:
    play.faults.client_id_locked(seconds=60, client_id=5)
    assert (refusal(play, 5), refusal(play, 1)) == (326, 0)


def test_next_valid_id_rolls_back_and_ids_are_issued_again(play: Play) -> None:
    """LEAN IB #242: 38103, then 38099."""
    for number in range(1, 7):
        play.buy(number)
    play.faults.rolled_back_ids(by=4)
    assert "id 3" in play.story(play.reconnect())
    assert "execution 10" in play.buy(3), "a re-issued id is a new order"
    assert play.spy == 50 + 70
    assert "id 4" in play.story(play.reconnect()), "once only"


def test_a_roll_back_of_nothing_is_refused(play: Play) -> None:
    with pytest.raises(FaultError, match="by 0 is below 1"):
        play.faults.rolled_back_ids(by=0)


def test_the_connection_is_reset_at_once(play: Play) -> None:
    play.faults.connection_reset()
    assert play.wait(0) == [Cut()]


def test_the_connection_is_reset_after_so_many_messages(play: Play, bought: list[str]) -> None:
    play.faults.connection_reset(messages=3)
    assert play.buy() == [*bought[:3], "Cut", *bought[3:]]
    play.reconnect()
    assert play.buy(2) == bought


def test_the_connection_is_reset_amid_the_next_frame(play: Play, bought: list[str]) -> None:
    play.faults.connection_reset(messages=2, in_frame=True)
    told = play.ask(play.order(1))
    assert told[2] == Cut(in_frame=True)
    assert play.story(told[3:]) == bought[2:], "the next frame is there to be cut"


def test_a_half_open_connection_is_dead_both_ways_until_it_is_made_anew(
    play: Play, bought: list[str]
) -> None:
    play.connect(2)
    play.faults.half_open(client_id=1)
    assert play.buy() == []
    assert play.spy == 50
    assert len(play.ask(CurrentTimeRequest(), client=2)) == 1
    play.reconnect()
    assert play.buy() == bought


def test_garbage_comes_between_messages(play: Play, bought: list[str]) -> None:
    play.faults.garbage_bytes(what="frame", messages=2)
    told = play.ask(play.order(1))
    assert play.story(told) == [*bought[:2], "Raw", *bought[2:]]
    reader = FrameReader()
    reader.receive_data(told[2].data)
    assert reader.next_frame() == ("garbage", "1", "")


@pytest.mark.parametrize("what", ["frame", "length", "bytes"])
def test_garbage_comes_at_once(play: Play, what: Any) -> None:
    play.faults.garbage_bytes(what=what)
    (raw,) = play.wait(0)
    assert isinstance(raw, Raw)
    assert raw.data


@pytest.mark.parametrize("extra", [1, -1])
def test_a_message_has_a_field_too_many_or_too_few(play: Play, extra: int) -> None:
    """commissionReport has exactly eight fields: ib_async drops any other."""
    play.faults.miscounted_fields(kind="commission_report", extra=extra, times=1)
    garbled = play.ask(play.order(1))[-1]
    assert isinstance(garbled, Miscounted)
    assert len(encode_reply(garbled, 178)) == 8 + extra
    assert isinstance(play.ask(play.order(2))[-1], CommissionReport)


def test_a_message_that_does_not_exist_cannot_be_miscounted(play: Play) -> None:
    with pytest.raises(FaultError, match="did you mean 'commission_report'"):
        play.faults.miscounted_fields(kind="comission_report")
    with pytest.raises(FaultError, match="extra 0 changes nothing"):
        play.faults.miscounted_fields(extra=0)


@pytest.mark.parametrize(
    ("port", "welcome"), [("closed", Welcome.RESET), ("silent", Welcome.SILENT)]
)
def test_a_gateway_is_down_for_hours(play: Play, port: Any, welcome: Welcome) -> None:
    play.faults.gateway_down(seconds=7200, port=port)
    assert play.wait(0) == [Cut()]
    assert play.buy() == [], "what was on its way is lost"
    assert welcomes(play, 1) == [welcome]
    play.wait(7200)
    assert welcomes(play, 1) == [Welcome.ANSWER]


def test_a_restart_loses_the_last_orders_and_issues_their_ids_again(play: Play) -> None:
    """LEAN IB #242; executions of today survive it."""
    for number in range(1, 5):
        play.buy(number)
    play.faults.gateway_restart(lost=2, roll_back=2, seconds=60)
    assert play.ask(play.order(5)) == []
    assert play.ask(play.order(6)) == [Cut()]
    assert welcomes(play, 1) == [Welcome.RESET]
    play.wait(60)
    assert welcomes(play, 1) == [Welcome.ANSWER]
    assert "id 3" in play.story(play.reconnect())
    assert play.executions().count("execution 10") == 4
    assert play.spy == 90


def test_a_restart_may_come_at_once(play: Play) -> None:
    play.faults.gateway_restart(seconds=60)
    assert play.wait(0) == [Cut()]


def test_a_swizzle_drops_all_and_lets_them_back_in_another_order(play: Play) -> None:
    for client in (2, 3, 4):
        play.connect(client)
    play.faults.swizzle(seconds=1)
    play.wait(3)
    dropped = [client for client, reply in play.heard if reply == Cut()]
    assert sorted(dropped) == [1, 2, 3, 4]
    assert [refusal(play, client) for client in dropped] == [326] * 4
    back = []
    for _ in range(4):
        play.wait(1)
        back.append({client for client in dropped if not refusal(play, client)})
    assert [len(clients) for clients in back] == [1, 2, 3, 4]
