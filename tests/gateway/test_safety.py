"""What the gateway refuses to connect to until the commander is finished."""

import pytest

from gateway.safety import Unsafe, refuse_unless_simulator


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_a_simulator_account_on_this_machine_is_accepted(host: str) -> None:
    refuse_unless_simulator(host)
    refuse_unless_simulator(host, "DUSIM1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "ib-gateway",
        "10.0.0.5",
        "0.0.0.0",
        "128.0.0.1",
        "::",
        "localhost.example.com",
        "127.0.0.1.example.com",
    ],
)
def test_any_host_but_loopback_is_refused_by_name(host: str) -> None:
    with pytest.raises(Unsafe, match="only with the simulator on this machine") as refusal:
        refuse_unless_simulator(host)
    assert repr(host) in str(refusal.value)


@pytest.mark.parametrize("account", ["", "U1234567", "DU1234567", "dusim1", "XDUSIM1"])
def test_any_account_but_the_simulators_is_refused_by_name(account: str) -> None:
    with pytest.raises(Unsafe, match="start with DUSIM") as refusal:
        refuse_unless_simulator("127.0.0.1", account)
    assert repr(account) in str(refusal.value)
