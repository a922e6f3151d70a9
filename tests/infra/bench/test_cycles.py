"""Life cycles as bytes, against the codec that the simulator reads with."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.requests import PlaceOrder
from gateway.simulator.wire.codec import FrameReader, encode_frame
from gateway.simulator.wire.messages import decode_request
from infra.bench import cycles
from infra.bench.echo import frame_of


def test_the_bytes_of_an_order_are_an_order_that_buys_and_sells_in_turn() -> None:
    reader = FrameReader()
    reader.receive_data(cycles.order(1, "SPY") + cycles.order(2, "SPY"))
    for action in ("BUY", "SELL"):
        fields = reader.next_frame()
        assert fields is not None
        request = decode_request(fields, cycles.HELLO.version_max)
        assert isinstance(request, PlaceOrder)
        assert (request.terms.action, request.contract.symbol) == (action, "SPY")


@given(st.lists(st.sampled_from(["59", "3", "5", "590"]), max_size=20), st.integers(1, 40))
def test_cycles_are_counted_however_the_bytes_are_cut(numbers: list[str], size: int) -> None:
    data = b"".join(encode_frame([number, "1", "x" * 9]) for number in numbers)
    counter = cycles.CycleCounter()
    for at in range(0, len(data), size):
        counter.feed(data[at : at + size])
    assert counter.ended == numbers.count("59")
    assert counter.received == len(data)


def test_an_echoed_frame_ends_a_cycle_and_has_the_size_asked_for() -> None:
    frame = frame_of(cycles.COMMISSION_REPORT, 5000)
    assert len(frame) == 5000
    counter = cycles.CycleCounter()
    counter.feed(frame * 3)
    assert counter.ended == 3
