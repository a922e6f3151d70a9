"""One `Market` message -> one `Targets` message. Pure; what a strategy function does."""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from functions.decision import Decision, Hold
from functions.registry import Strategy
from functions.sizing import sized
from schemas.codec import Invalid, decode, from_document
from schemas.messages import Market, Targets

TRACEBACK_CHARACTERS_MAX = 4000


def answer(
    name: str, strategy: Strategy, data: bytes, attributes: Mapping[str, str]
) -> Targets | None:
    """The strategy's targets; None when the message's attributes say it is for another strategy.

    The subscription filters already, but one emulator ignores filters. What goes wrong inside the
    strategy, or with its parameters, is answered with status `error`, so that the run need not
    wait for its deadline. Raises `Invalid` for a message that nobody can answer.
    """
    if attributes.get("strategy", name) != name:
        return None
    market = decode(Market, data)
    if market.strategy != name:
        raise Invalid(f"strategy: the message is for {market.strategy!r}, not for {name!r}")
    try:
        return _decided(market, strategy)
    except Invalid as invalid:
        return replace(_empty(market), status="error", reason=f"parameters: {invalid}")
    except Exception as error:  # said to the gateway, and logged by our caller: not swallowed
        return _failed(market, error)


def _decided(market: Market, strategy: Strategy) -> Targets:
    parameters = from_document(strategy.Parameters, market.parameters)
    decision: Decision = strategy.decide(market, parameters)
    if isinstance(decision, Hold):
        return _held(market, decision)
    outcome = sized(market, decision)
    if isinstance(outcome, Hold):
        return _held(market, replace(outcome, diagnostics=decision.diagnostics))
    return replace(
        _empty(market),
        status="targets",
        targets=outcome.targets,
        reason=decision.reason,
        diagnostics={**decision.diagnostics, **outcome.notes},
        together_until=decision.together_until,
    )


def _empty(market: Market) -> Targets:
    return Targets(
        strategy=market.strategy,
        status="hold",
        as_of=market.as_of,
        valid_until=market.valid_until,
        run_id=market.run_id,
        dry_run=market.dry_run,
    )


def _held(market: Market, hold: Hold) -> Targets:
    return replace(_empty(market), reason=hold.reason, diagnostics=hold.diagnostics)


def _failed(market: Market, error: Exception) -> Targets:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}"
    text = "".join(traceback.format_exception(error))
    return replace(
        _empty(market),
        status="error",
        reason=f"{type(error).__name__}: {error} ({where})",
        diagnostics={"traceback": text[-TRACEBACK_CHARACTERS_MAX:]},
    )
