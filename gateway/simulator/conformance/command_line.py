"""The options of `python -m gateway.simulator.conformance`, and what they choose. No I/O."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.simulator.conformance.case import Case, Kind
from gateway.simulator.conformance.client import CLIENT_VERSION_MAX
from gateway.simulator.conformance.safety import (
    CannotRun,
    check_account,
    check_port,
    check_trade,
)
from gateway.simulator.conformance.talk import Setting
from gateway.simulator.wire.codec import SERVER_VERSION_MIN

NOTHING = "none"
ABOUT = """\
Asks an IB Gateway, or the simulator, a list of questions, and says for each whether the answer is
what Interactive Brokers documents. Without --trade it only asks: it places, changes and cancels
nothing. It talks to paper accounts (DU...) only, whatever the flags."""
AFTER = """\
exit codes: 0 all is as documented, or differs in a way that is known; 1 something differs, or
something that was traded is not as before; 2 it could not run."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m gateway.simulator.conformance",
        description=ABOUT,
        epilog=AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--host", default="127.0.0.1", help="where the gateway runs (127.0.0.1)")
    add("--port", type=_port, default=4002, help="of a paper gateway 4002, of a paper TWS 7497")
    add("--account", help="the paper account; needed for --trade and where a login has several")
    add("--symbol", default="SPY", help="a liquid US stock or ETF that the cases ask for (SPY)")
    add("--client-id", type=_client_id, default=880, help="this one, and up to nine above (880)")
    add("--client-version", type=_version, default=CLIENT_VERSION_MAX, help="announce up to this")
    add("--trade", action="store_true", help="run trading cases too: orders for 1 share, undone")
    add("--only", action="append", default=[], metavar="NAME", help="this case; repeatable")
    add("--skip", action="append", default=[], metavar="NAME", help="not this one; repeatable")
    add("--list", action="store_true", help="print all cases with their sources, and end")
    add("--json", type=Path, metavar="FILE", help="write the report there")
    add(
        "--against",
        metavar="FILE",
        help="compare with this report (default: the simulator's own; 'none' compares nothing)",
    )
    return made


def setting_of(options: argparse.Namespace) -> Setting:
    """Where and as whom to talk. Raises CannotRun where that must not be."""
    check_port(options.port)
    if options.account is not None:
        check_account(options.account)
    if options.trade:
        check_trade(options.account)
    return Setting(
        options.host,
        options.port,
        options.account or "",
        options.symbol,
        options.client_id,
        options.client_version,
    )


def chosen(options: argparse.Namespace, cases: Sequence[Case]) -> list[Case]:
    """The cases to run. Raises CannotRun for a name that there is not, or that trades."""
    names = {case.name: case for case in cases}
    for name in (*options.only, *options.skip):
        if name not in names:
            raise CannotRun(f"no case has the name {name}; --list prints them all")
    for name in options.only:
        if names[name].kind is Kind.TRADE and not options.trade:
            raise CannotRun(f"the case {name} trades: it needs --trade and --account DU...")
    return [
        case
        for case in cases
        if (not options.only or case.name in options.only)
        and case.name not in options.skip
        and (options.trade or case.kind is Kind.READ)
    ]


def listed(cases: Sequence[Case]) -> Iterator[str]:
    """All cases for people: chapter, name, what it needs, what IB documents, where."""
    chapter = ""
    for case in cases:
        if case.chapter != chapter:
            chapter = case.chapter
            yield f"== {chapter}{' (with --trade)' if case.kind is Kind.TRADE else ''}"
        yield case.name
        yield f"    {case.tells}"
        if case.needs:
            yield f"    Needs: {'; '.join(case.needs)}."
        yield f"    Source: {case.source}"
    trading = sum(case.kind is Kind.TRADE for case in cases)
    yield f"{len(cases)} cases: {len(cases) - trading} only ask, {trading} trade."


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _client_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a client id from 1 to 999999")
    return int(text)


def _version(text: str) -> int:
    low, high = SERVER_VERSION_MIN, CLIENT_VERSION_MAX
    if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version from {low} to {high}")
    return int(text)
