"""The environment makes a gateway, or a sentence that names the variable."""

from pathlib import Path

import pytest

from gateway.config import Config, Misconfigured, described, from_environment, session_settings
from schemas.values import Mode

ENOUGH = {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "my-project"}


def test_mode_and_project_are_enough() -> None:
    assert from_environment(ENOUGH) == Config(Mode.PAPER, "my-project", "gateway")


def test_everything_can_be_set() -> None:
    more = {
        "OWNER": "pod-7",
        "IB_HOST": "localhost",
        "IB_PORT": "4004",
        "LIVE_TRADING_ACCEPTED": "U1",
        "IB_CLIENT_ID": "9",
        "IB_GUARD_CLIENT_ID": "8",
        "CLOCK_FILE": "clock",
        "IB_DOCTOR_CLIENT_ID": "7",
        "IB_DAILY_RESTART": "23:45",
        "LIVEZ_PORT": "8080",
    }
    found = from_environment({**ENOUGH, **more})
    assert found == Config(
        Mode.PAPER,
        "my-project",
        "pod-7",
        "localhost",
        4004,
        9,
        8,
        "U1",
        Path("clock"),
        7,
        "23:45",
        8080,
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"MODE": ""}, "MODE must be set"),
        ({"MODE": "demo"}, "MODE must be paper or live, not 'demo'"),
        ({"MODE": "PAPER"}, "MODE must be paper or live, not 'PAPER'"),
        ({"GOOGLE_CLOUD_PROJECT": ""}, "GOOGLE_CLOUD_PROJECT must be set"),
        (
            {"GOOGLE_CLOUD_PROJECT": "My Project"},
            "GOOGLE_CLOUD_PROJECT must be a project's id such as my-project-123, not its name",
        ),
        ({"IB_PORT": "0"}, "IB_PORT must be a number from 1 to 65535, not '0'"),
        ({"IB_PORT": "65536"}, "IB_PORT must be a number from 1 to 65535"),
        ({"IB_PORT": "4002 "}, "IB_PORT must be a number"),
        ({"IB_PORT": ""}, "IB_PORT must be a number"),
        ({"IB_CLIENT_ID": "0"}, "IB_CLIENT_ID must be a number from 1"),
        ({"IB_CLIENT_ID": "-1"}, "IB_CLIENT_ID must be a number from 1"),
        ({"IB_HOST": "ib-gateway"}, "IB_HOST and IB_PORT: the broker's host is 'ib-gateway'"),
        ({"IB_PORT": "4001"}, "the broker's port is 4001, which is IB's for live"),
        (
            {"MODE": "live", "IB_PORT": "4002", "LIVE_TRADING_ACCEPTED": "U1"},
            "the broker's port is 4002, which is IB's for paper",
        ),
        ({"MODE": "live"}, "LIVE_TRADING_ACCEPTED must name the account"),
        ({"IB_GUARD_CLIENT_ID": "0"}, "IB_GUARD_CLIENT_ID must be a number from 1"),
        ({"IB_GUARD_CLIENT_ID": "3"}, "IB_DOCTOR_CLIENT_ID must differ .*, and is 3"),
        ({"IB_DAILY_RESTART": "11:45 PM"}, "IB_DAILY_RESTART must be a time in New York like 23"),
        ({"LIVEZ_PORT": "65536"}, "LIVEZ_PORT must be a number from 0 to 65535, not '65536'"),
        ({"IB_CLIENT_ID": "2"}, "IB_GUARD_CLIENT_ID must differ from IB_CLIENT_ID, both are 2"),
    ],
)
def test_a_wrong_variable_is_named_with_what_it_must_be(
    changed: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        from_environment({**ENOUGH, **changed})


def test_there_is_no_default_mode() -> None:
    """Nobody trades live by accident."""
    with pytest.raises(Misconfigured, match="MODE must be set"):
        from_environment({"GOOGLE_CLOUD_PROJECT": "my-project"})


def test_live_has_its_own_port_and_its_sessions_know_the_accepted_account() -> None:
    config = from_environment({**ENOUGH, "MODE": "live", "LIVE_TRADING_ACCEPTED": "U1"})
    assert config.ib_port == 4001
    settings = session_settings(config, 2)
    assert (settings.mode, settings.live_account_accepted) == (Mode.LIVE, "U1")
    assert (settings.host, settings.port, settings.client_id) == ("127.0.0.1", 4001, 2)


def test_an_empty_owner_is_no_owner() -> None:
    """A lease without an owner is a lease given back: two gateways would trade."""
    assert from_environment({**ENOUGH, "OWNER": ""}).owner == "gateway"


def test_the_log_has_no_account_in_full() -> None:
    """[M30]"""
    told = described(from_environment({**ENOUGH, "LIVE_TRADING_ACCEPTED": "U1234567"}))
    assert " live_trading_accepted=U…67 " in told


def test_the_settings_fit_a_line_of_the_log() -> None:
    assert described(from_environment(ENOUGH)) == (
        "mode=paper google_cloud_project=my-project owner=gateway ib_host=127.0.0.1 ib_port=4002 "
        "ib_client_id=1 ib_guard_client_id=2 live_trading_accepted= clock_file=None "
        "ib_doctor_client_id=3 ib_daily_restart= livez_port=0"
    )
