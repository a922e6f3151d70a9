"""The gateway's settings from the environment: each with its reason, checked before any start.

What people may change while it runs lives in Firestore (`schemas.documents.Settings`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

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
    """4002 is the paper gateway's API port itself, not the forwarder (cloud.md 1.5)."""

    ib_client_id: int = 1
    """Fixed, above 0, and IB's master client, so that manual trades are seen [B2]."""

    clock_file: Path | None = None
    """Where a simulator publishes its time; absent, the wall's clock counts."""


def from_environment(environment: Mapping[str, str]) -> Config:
    """The settings that the environment describes. Raises `Misconfigured`."""
    clock_file = environment.get("CLOCK_FILE")
    return Config(
        mode=_mode(environment),
        google_cloud_project=_required(environment, "GOOGLE_CLOUD_PROJECT"),
        owner=environment.get("OWNER") or "gateway",  # without one, a lease counts as free
        ib_host=environment.get("IB_HOST", "127.0.0.1"),
        ib_port=_number(environment, "IB_PORT", 4002, 65_535),
        ib_client_id=_number(environment, "IB_CLIENT_ID", 1, 999_999),
        clock_file=Path(clock_file) if clock_file else None,
    )


def described(config: Config) -> str:
    """The settings in one line, for the log at start; there are no secrets among them."""
    return " ".join(f"{field.name}={getattr(config, field.name)}" for field in fields(config))


def _mode(environment: Mapping[str, str]) -> Mode:
    value = _required(environment, "MODE")
    if value not in list(Mode):
        raise Misconfigured(f"MODE must be paper or live, not {value!r}")
    return Mode(value)


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise Misconfigured(f"{name} must be set")
    return value


def _number(environment: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environment.get(name, str(default))
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= highest:
        raise Misconfigured(f"{name} must be a number from 1 to {highest}, not {text!r}")
    return int(text)
