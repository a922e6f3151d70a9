"""Each client has an environment of its own, from a lock that names no address."""

import re
from pathlib import Path

import pytest

from infra.clients.environments import CLIENTS, OURS, ROOT, Client, NoEnvironment

SHARING_A_NAME = {"ibapi", "ibapi-latest", "ibapi-stable", "nautilus-ibapi"}
"""Packages that all install the module `ibapi`."""
LOCKS = sorted((ROOT / "requirements").glob("client-*.txt"))


def packages(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("client", [one for one in CLIENTS.values() if one.name != OURS])
def test_a_clients_package_and_version_are_in_its_lock(client: Client) -> None:
    lock = ROOT / "requirements" / f"client-{client.name.replace('_', '-')}.txt"
    name, version = client.package.replace("_", "-").split()
    assert f"\n{name}=={version} " in lock.read_text()


def test_our_own_environment_has_the_version_that_the_table_names() -> None:
    name, version = CLIENTS[OURS].package.replace("_", "-").split()
    assert f"\n{name}=={version} " in (ROOT / "requirements" / "dev.txt").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_environment_has_two_packages_of_the_module_ibapi(lock: Path) -> None:
    assert len(packages(lock) & SHARING_A_NAME) <= 1


def test_every_driver_is_there() -> None:
    assert [one.name for one in CLIENTS.values() if not one.program.is_file()] == []


def test_an_environment_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON", "no-such-python")
    with pytest.raises(NoEnvironment, match=r"ib_insync 0\.9\.86 cannot be installed: PYTHON="):
        CLIENTS["ib_insync"].python()
