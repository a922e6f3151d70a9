"""Playing recorded bars as fast as the work on them allows, one change of the market at a time."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.simulator.server import Simulator

type Act = Callable[[datetime], Awaitable[None]]


async def replay(simulator: Simulator, act: Act, until: datetime | None = None) -> int:
    """Step a clock that stands still from change to change, and act after each.

    `act` gets the virtual time; time goes on when it returns, so it should return when whoever
    trades has nothing more to do at this instant. Ends at the last change up to `until`; without
    it when the bars are over and nothing waits but restarts and logins, of which there is no end.
    Returns the number of steps.
    """
    steps = 0
    while (ahead := simulator.next_change()) is not None:
        if ahead > until if until is not None else not simulator.goes_on:
            break
        await simulator.step()
        await act(simulator.clock.now())
        steps += 1
    return steps
