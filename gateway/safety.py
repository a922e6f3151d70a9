"""The one place that keeps this version away from money: the simulator only.

Until the commander has its limits, its lease and its recovery, the gateway speaks to nothing but
the simulator on this machine. Whoever finishes those deletes this module, and `Session.connect`
then has two lines less.
"""

import ipaddress
from typing import Final

SIMULATOR_ACCOUNT_PREFIX: Final = "DUSIM"
"""IB's paper accounts start with DU, its live ones with U; none has letters after that."""


class Unsafe(Exception):
    """The gateway was pointed at something that is not the simulator. Nothing was sent."""


def refuse_unless_simulator(host: str, account: str | None = None) -> None:
    """Raise `Unsafe` for a host off this machine, or an account that is not the simulator's.

    `account` is None before connecting, when only the host is known.
    """
    if not _is_loopback(host):
        raise Unsafe(
            f"the broker's host is {host!r}: this version trades only with the simulator on this "
            "machine (localhost, 127.0.0.0/8 or ::1)"
        )
    if account is not None and not account.startswith(SIMULATOR_ACCOUNT_PREFIX):
        raise Unsafe(
            f"the account is {account!r}: this version trades only with the simulator, whose "
            f"accounts start with {SIMULATOR_ACCOUNT_PREFIX}"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
