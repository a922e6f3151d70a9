"""The environment makes a gateway, or a sentence that names the variable."""

from pathlib import Path

import pytest

from gateway.config import Config, Misconfigured, described, from_environment
from schemas.values import Mode

ENOUGH = {"MODE": "paper", "GOOGLE_CLOUD_PROJECT": "my-project"}


def test_mode_and_project_are_enough() -> None:
    assert from_environment(ENOUGH) == Config(Mode.PAPER, "my-project", "gateway")


def test_everything_can_be_set() -> None:
    more = {
        "OWNER": "pod-7",
        "IB_HOST": "localhost",
        "IB_PORT": "4001",
        "IB_CLIENT_ID": "9",
        "CLOCK_FILE": "clock",
    }
    found = from_environment({**ENOUGH, **more})
    assert found == Config(Mode.PAPER, "my-project", "pod-7", "localhost", 4001, 9, Path("clock"))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"MODE": ""}, "MODE must be set"),
        ({"MODE": "demo"}, "MODE must be paper or live, not 'demo'"),
        ({"MODE": "PAPER"}, "MODE must be paper or live, not 'PAPER'"),
        ({"GOOGLE_CLOUD_PROJECT": ""}, "GOOGLE_CLOUD_PROJECT must be set"),
        ({"IB_PORT": "0"}, "IB_PORT must be a number from 1 to 65535, not '0'"),
        ({"IB_PORT": "65536"}, "IB_PORT must be a number from 1 to 65535"),
        ({"IB_PORT": "4002 "}, "IB_PORT must be a number"),
        ({"IB_PORT": ""}, "IB_PORT must be a number"),
        ({"IB_CLIENT_ID": "0"}, "IB_CLIENT_ID must be a number from 1"),
        ({"IB_CLIENT_ID": "-1"}, "IB_CLIENT_ID must be a number from 1"),
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


def test_an_empty_owner_is_no_owner() -> None:
    """A lease without an owner is a lease given back: two gateways would trade."""
    assert from_environment({**ENOUGH, "OWNER": ""}).owner == "gateway"


def test_the_settings_fit_a_line_of_the_log() -> None:
    assert described(from_environment(ENOUGH)) == (
        "mode=paper google_cloud_project=my-project owner=gateway ib_host=127.0.0.1 ib_port=4002 "
        "ib_client_id=1 clock_file=None"
    )
