"""Is this the broker that was meant? Asked before connecting and before anything is sent.

Paper and live differ at IB by a port and by the first letters of the account, and by nothing that
one sees in an order. So each mode refuses the other's.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

from gateway.core.broker import masked
from gateway.core.contract_limits import ACCOUNT_PREFIXES
from schemas.values import Mode

PORTS: Final[Mapping[Mode, tuple[int, ...]]] = {
    Mode.PAPER: (4002, 4004, 7497),
    Mode.LIVE: (4001, 4003, 7496),
}
"""IB's own: the gateway's, the one that its usual container forwards, TWS's (ib.md)."""


class Unsafe(Exception):
    """The gateway was pointed at something that it must not trade with. Nothing was sent."""


def check_address(mode: Mode, host: str, port: int) -> None:
    """Raise `Unsafe` for a host off this machine, and for a port of the other mode."""
    if not _is_loopback(host):
        raise Unsafe(
            f"the broker's host is {host!r}: the API has no password, so it must be on this "
            "machine (localhost, 127.0.0.0/8 or ::1): run the gateway beside it"
        )
    other = _other(mode)
    if port in PORTS[other]:
        ours = ", ".join(map(str, PORTS[mode]))
        raise Unsafe(
            f"the broker's port is {port}, which is IB's for {other}, and this is {mode}: use one "
            f"of {ours}, or set MODE"
        )


def check_account(mode: Mode, account: str, accepted: str) -> None:
    """Raise `Unsafe` for an account of the other mode, and for a live one not accepted by name."""
    if not account.startswith(ACCOUNT_PREFIXES[mode]):
        starts = " or ".join(ACCOUNT_PREFIXES[mode])
        raise Unsafe(
            f"the account is {masked(account)}, and {mode} accounts start with {starts}: log in to "
            "the other account, or set MODE"
        )
    if mode is Mode.LIVE and account != accepted:
        raise Unsafe(
            f"the account is {masked(account)}, and LIVE_TRADING_ACCEPTED names another, "
            f"{masked(accepted)!r}: it must name the account that may be traded with real money, "
            "exactly"
        )


def _other(mode: Mode) -> Mode:
    return Mode.LIVE if mode is Mode.PAPER else Mode.PAPER


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
