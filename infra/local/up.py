"""Keep the whole system running until Ctrl-C, and say what to do with it."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.ports import Delivery
from gateway.simulator.market.bars import BarBook
from infra.local import door
from infra.local.demo import exchange_options, half_hours
from infra.local.stack import MODE, PROJECT, Stack, StackName, StackOptions, running
from schemas import codec
from schemas.messages import Report
from schemas.new_york import NEW_YORK

AFTER_THE_OPENING: Final = timedelta(minutes=30)
CHECK_SECONDS: Final = 0.5


async def serve(name: StackName, bars: BarBook, day: date) -> None:
    """Run a stack on a flat account, at the speed of the wall, until cancelled.

    The simulated day begins half an hour after the opening whatever the time is outside, so that
    the market is open for whoever tries it.
    """
    starts, _ = half_hours(bars, day)
    start = starts[0] + AFTER_THE_OPENING
    exchange = exchange_options(bars, start, Decimal(0))
    options = StackOptions(bars, start, exchange, speed=1.0, guarded=True)
    print(f"starting the {name} stack ...", flush=True)
    async with running(name, options) as stack:
        with ExitStack() as parts:
            host = parts.enter_context(_door(stack))
            print(instructions(host, stack.firestore_host, start), flush=True)
            print(looking(stack.environment), flush=True)
            await _watch(stack)


@contextlib.contextmanager
def _door(stack: Stack) -> Iterator[str]:
    """Where Pub/Sub's REST API is: the emulator's, or the embedded stack's own door."""
    if stack.pubsub_host:
        yield stack.pubsub_host
        return
    with door.opened(stack.bus, stack.store, asyncio.get_running_loop()) as host:
        yield host


async def _watch(stack: Stack) -> None:
    """Print what is reported, without end. Raises `StackFailed` if a part ends by itself."""
    async with stack.reading(_print_report, _print_dead_letter):
        while True:
            stack.check()
            await asyncio.sleep(CHECK_SECONDS)


def instructions(pubsub_host: str, firestore_host: str, start: datetime) -> str:
    """What to do next, in order; every line can be copied into another terminal."""
    look = f"http://{firestore_host or pubsub_host}/v1/projects/{PROJECT}/databases/(default)"
    return f"""
It runs, on invented or recorded bars, from {start.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York
time on; the account is flat, trading is halted. In another terminal, once:

  export CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB=http://{pubsub_host}/
  export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_CORE_PROJECT={PROJECT}

1. Allow trading (only a person does):

  gcloud pubsub topics publish commands-{MODE} --message='{{"command": "resume", "by": "me"}}'

2. Say what you want to hold; 2 s later it is ordered:

  gcloud pubsub topics publish targets-{MODE} \\
    --message='{{"strategy": "manual", "targets": [{{"symbol": "SPY", "quantity": 10}}]}}'

3. Ask the strategies, which leads to orders of their own:

  gcloud pubsub topics publish commands-{MODE} --message='{{"command": "run"}}'

4. Stop: what works is cancelled by the commander, or by the guard where that does not:

  gcloud pubsub topics publish commands-{MODE} --message='{{"command": "halt", "by": "me"}}'

Without gcloud:

  curl -X POST http://{pubsub_host}/v1/projects/{PROJECT}/topics/commands-{MODE}:publish \\
    -H 'Content-Type: application/json' \\
    -d "{{\\"messages\\": [{{\\"data\\": \\"$(printf '{{"command": "resume"}}' | base64)\\"}}]}}"

Look at documents (the Firestore console's paths):

  curl '{look}/documents/positions/{MODE}/holdings/manual'
  curl '{look}/documents/positions/{MODE}/openOrders'
  curl '{look}/documents/executions'
  curl '{look}/documents/runs'

Ctrl-C ends it. What happens is told here:
"""


def looking(environment: Mapping[str, str]) -> str:
    """How to look from another terminal; empty where the commands that look cannot reach."""
    if not environment:
        return ""
    exports = "\n".join(f"  export {name}={environment[name]}" for name in sorted(environment))
    return f"""From the command line too (docs/how-to/a-bad-day.md):

{exports}
  .venv/bin/python -m gateway.doctor
  .venv/bin/python -m gateway.status
  .venv/bin/python -m gateway.replay_log last
"""


def _print_report(delivery: Delivery) -> None:
    report = codec.decode(Report, delivery.data)
    print(f"{report.at.astimezone(NEW_YORK):%H:%M:%S} {report.sentence}", flush=True)
    delivery.ack()


def _print_dead_letter(delivery: Delivery) -> None:
    reason = delivery.attributes.get("reason", "delivered too often")
    print(f"dead letter {delivery.data[:200]!r}: {reason}", flush=True)
    delivery.ack()
