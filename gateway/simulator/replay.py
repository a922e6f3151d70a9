"""Playing recorded bars as fast as the work on them allows, one change of the market at a time."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.simulator.server import Simulator

type Act = Callable[[datetime], Awaitable[None]]


async def replay(simulator: Simulator, act: Act, until: datetime | None = None) -> int:
    """Step a clock that stands still from change to change, and act after each.

    `act` gets the virtual time; time goes on when it returns, so it should return when whoever
    trades has nothing more to do at this instant. Ends at the last change up to `until`, or when
    the bars are over. Returns the number of steps.
    """
    steps = 0
    while (ahead := simulator.next_change()) is not None and (until is None or ahead <= until):
        await simulator.step()
        await act(simulator.clock.now())
        steps += 1
    return steps
