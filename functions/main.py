"""Every entry point: the table of contents of what is deployed.

Each is fed by Pub/Sub, through a plain push subscription or Eventarc. One source bundle serves
all of them; `FUNCTION_TARGET` says which one an instance is. Its strategy is imported when the
instance starts, so that a missing dependency fails the deployment and not the first run, and so
that an instance whose strategy needs no indicators never loads pandas.
"""

import os

import functions_framework
from cloudevents.http import CloudEvent

from functions.cloud import publish
from functions.registry import STRATEGIES, load
from functions.response import respond


@functions_framework.cloud_event
def dummy(event: CloudEvent) -> None:
    """Fixed, seeded answers, for rehearsals."""
    respond("dummy", event, publish)


@functions_framework.cloud_event
def spy_macd_vixy(event: CloudEvent) -> None:
    """SPY by its daily MACD regime, hedged with VIXY while bearish."""
    respond("spy_macd_vixy", event, publish)


@functions_framework.cloud_event
def spy_pullback(event: CloudEvent) -> None:
    """SPY against its half-hour excursions."""
    respond("spy_pullback", event, publish)


@functions_framework.cloud_event
def test_signal_generator(event: CloudEvent) -> None:
    """SPY by its half-hour MACD, always in the market."""
    respond("test_signal_generator", event, publish)


if os.environ.get("FUNCTION_TARGET") in STRATEGIES:
    load(os.environ["FUNCTION_TARGET"])
