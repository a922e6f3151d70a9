"""The gateway's settings from the environment: each with its reason, checked before any start.

What people may change while it runs lives in Firestore (`schemas.documents.Settings`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from gateway.clock import Clock, SharedClock, WallClock
from gateway.core.broker import masked
from gateway.inquiry import SessionSettings
from gateway.safety import PORTS, Unsafe, check_address
from schemas.settings import TIME_OF_DAY
from schemas.values import Mode


class Misconfigured(ValueError):
    """The environment does not make a gateway; the text names the variable and what it must be."""


@dataclass(frozen=True, slots=True)
class Config:
    """Frozen once read. Variable names are the field names in upper case."""

    mode: Mode
    """Paper and live share nothing; there is no default, so that nobody gets one by accident."""

    google_cloud_project: str
    """Whose topics and documents. One project a mode."""

    owner: str
    """Who holds the lease; something a person recognizes in `leases/{mode}`."""

    ib_host: str = "127.0.0.1"
    """The sidecar shares the network namespace; the gateway trusts loopback only."""

    ib_port: int = 4002
    """The paper gateway's API port itself, not the forwarder (cloud.md 1.5); live's is 4001."""

    ib_client_id: int = 1
    """Fixed, above 0, and IB's master client, so that manual trades are seen [B2]."""

    ib_guard_client_id: int = 2
    """The guard's own (`gateway.guard`), for it watches while the commander is connected [R4]."""

    live_trading_accepted: str = ""
    """The live account by its exact name, so that nobody trades live by accident; live needs it."""

    clock_file: Path | None = None
    """Where a simulator publishes its time; absent, the wall's clock counts."""

    ib_doctor_client_id: int = 3
    """`gateway.doctor`'s own, for it looks while the commander and the guard are connected."""

    ib_daily_restart: str = ""
    """When the IB Gateway restarts each day, New York time, such as 23:45; told by the doctor."""

    livez_port: int = 0
    """Where the platform may ask whether this process gets anywhere (`gateway.livez`); 0: nowhere.

    The commander and the guard need one each: they share a network.
    """


def from_environment(environment: Mapping[str, str]) -> Config:
    """The settings that the environment describes. Raises `Misconfigured`."""
    clock_file = environment.get("CLOCK_FILE")
    mode = _mode(environment)
    config = Config(
        mode=mode,
        google_cloud_project=_project(environment),
        owner=environment.get("OWNER") or "gateway",  # without one, a lease counts as free
        ib_host=environment.get("IB_HOST", "127.0.0.1"),
        ib_port=_number(environment, "IB_PORT", PORTS[mode][0], 65_535),
        ib_client_id=_number(environment, "IB_CLIENT_ID", 1, 999_999),
        ib_guard_client_id=_number(environment, "IB_GUARD_CLIENT_ID", 2, 999_999),
        live_trading_accepted=environment.get("LIVE_TRADING_ACCEPTED", ""),
        clock_file=Path(clock_file) if clock_file else None,
        ib_doctor_client_id=_number(environment, "IB_DOCTOR_CLIENT_ID", 3, 999_999),
        ib_daily_restart=_time_of_day(environment, "IB_DAILY_RESTART"),
        livez_port=_number(environment, "LIVEZ_PORT", 0, 65_535, lowest=0),
    )
    _check(config)
    return config


def mode_and_project(environment: Mapping[str, str]) -> tuple[Mode, str]:
    """What is needed where no broker is asked. Raises `Misconfigured`."""
    return _mode(environment), _required(environment, "GOOGLE_CLOUD_PROJECT")


def _check(config: Config) -> None:
    """Raise `Misconfigured` for settings that are right each by itself, but not together."""
    if config.ib_guard_client_id == config.ib_client_id:
        raise Misconfigured(
            f"IB_GUARD_CLIENT_ID must differ from IB_CLIENT_ID, both are {config.ib_client_id}"
        )
    if config.ib_doctor_client_id in (config.ib_client_id, config.ib_guard_client_id):
        raise Misconfigured(
            "IB_DOCTOR_CLIENT_ID must differ from IB_CLIENT_ID and IB_GUARD_CLIENT_ID, and is "
            f"{config.ib_doctor_client_id}"
        )
    if config.mode is Mode.LIVE and not config.live_trading_accepted:
        raise Misconfigured(
            "LIVE_TRADING_ACCEPTED must name the account that may be traded with real money"
        )
    try:
        check_address(config.mode, config.ib_host, config.ib_port)
    except Unsafe as error:
        raise Misconfigured(f"IB_HOST and IB_PORT: {error}") from error


def session_settings(config: Config, client_id: int) -> SessionSettings:
    """How a session of this gateway is opened under a client id. `ValueError` for none above 0."""
    return SessionSettings(
        config.ib_host,
        config.ib_port,
        client_id,
        mode=config.mode,
        live_account_accepted=config.live_trading_accepted,
    )


def clock_of(config: Config) -> Clock:
    """The wall's clock, or the simulator's. Raises `Misconfigured`."""
    if config.clock_file is None:
        return WallClock()
    try:
        return SharedClock(config.clock_file)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"CLOCK_FILE is no simulator's clock: {error}") from error


def described(config: Config) -> str:
    """The settings in one line, for the log at start: no secret, and no account in full."""
    accepted = config.live_trading_accepted
    shown = replace(config, live_trading_accepted=masked(accepted) if accepted else "")
    return " ".join(f"{field.name}={getattr(shown, field.name)}" for field in fields(shown))


def _mode(environment: Mapping[str, str]) -> Mode:
    value = _required(environment, "MODE")
    if value not in list(Mode):
        raise Misconfigured(f"MODE must be paper or live, not {value!r}")
    return Mode(value)


def _project(environment: Mapping[str, str]) -> str:
    """Google's client fails on a project's name, which is not its id, with a traceback."""
    name = _required(environment, "GOOGLE_CLOUD_PROJECT")
    if not re.fullmatch(r"[a-z][a-z0-9.:-]*", name):
        raise Misconfigured(
            "GOOGLE_CLOUD_PROJECT must be a project's id such as my-project-123, not its name "
            f"{name!r}"
        )
    return name


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise Misconfigured(f"{name} must be set")
    return value


def _time_of_day(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not TIME_OF_DAY.fullmatch(text):
        raise Misconfigured(f"{name} must be a time in New York like 23:45, not {text!r}")
    return text


def _number(
    environment: Mapping[str, str], name: str, default: int, highest: int, lowest: int = 1
) -> int:
    text = environment.get(name, str(default))
    if not re.fullmatch(r"\d{1,6}", text) or not lowest <= int(text) <= highest:
        raise Misconfigured(f"{name} must be a number from {lowest} to {highest}, not {text!r}")
    return int(text)
