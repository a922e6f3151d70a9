"""What these cases never do, whatever the flags: they talk to paper accounts only.

IB's live gateway listens on 4001 and its live TWS on 7496 unless somebody changed it, so these two
ports are refused unseen; a paper account's id begins with DU, and a login that has any other
account is left at once, before anything but the handshake was said.
"""

from collections.abc import Sequence

PAPER = "DU"
PAPER_ADVISOR = "DF"
LIVE_PORTS = {4001: "the live IB Gateway", 7496: "the live TWS"}


class CannotRun(Exception):
    """The cases cannot be run here. Its text says why and what to do next."""


def check_port(port: int) -> None:
    """Raises CannotRun for a port of a live gateway."""
    if port in LIVE_PORTS:
        raise CannotRun(
            f"port {port} is where {LIVE_PORTS[port]} listens; the cases run against paper "
            "accounts only: name the port of a paper gateway (4002) or TWS (7497)"
        )


def check_account(account: str) -> None:
    """Raises CannotRun for an account that is not a paper account, and for an advisor's."""
    if account.startswith(PAPER_ADVISOR):
        raise CannotRun(
            f"account {account} is an advisor's paper account, whose orders are those of "
            "several accounts; nothing was asked of it: log the gateway in with a single paper "
            f"account ({PAPER}...)"
        )
    if not account.startswith(PAPER):
        raise CannotRun(
            f"account {account} does not begin with {PAPER}, so it is no paper account; nothing "
            "was asked of it: log the gateway in with a paper account"
        )


def check_trade(account: str | None) -> None:
    """Raises CannotRun where orders were allowed but not the account they go to."""
    if account is None:
        raise CannotRun(
            "--trade places orders, so the account must be typed out: --account DU..., as the "
            "gateway shows it"
        )


def chosen_account(named: str | None, offered: Sequence[str]) -> str:
    """The account to talk about, of those of the login. Raises CannotRun."""
    if not offered:
        raise CannotRun("the gateway named no account: is its login complete?")
    for account in offered:
        check_account(account)
    if named is None and len(offered) > 1:
        raise CannotRun(
            f"the login has the accounts {', '.join(offered)}: choose one with --account"
        )
    if named is not None and named not in offered:
        raise CannotRun(f"the login has no account {named}, but {', '.join(offered)}")
    return named or offered[0]
