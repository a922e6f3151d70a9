"""The Compose file: valid, paper only, on this machine only, and what the programs read.

No Docker engine runs it here: that its processes work together is shown by `make up` and the tests
of the images.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from functions.registry import STRATEGIES, WATCHERS
from gateway.config import Config, from_environment
from gateway.simulator.command_line import parser
from schemas.values import Mode

type Tool = Callable[..., subprocess.CompletedProcess[str]]
type Service = dict[str, Any]

LOAD = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
GATEWAYS = {
    "commander": "simulator",
    "guard": "simulator",
    "commander-ib": "ib-gateway",
    "guard-ib": "ib-gateway",
}
"""Our processes of a broker, and the service whose network they are in."""
OURS = {"gateway", "functions", "simulator"}
OF_PLATFORMS = {"FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "FUNCTION_TARGET", "PORT"}
OF_FIRST_START = {"PUSH_URL"}


@pytest.fixture(scope="module")
def file(root: Path) -> Path:
    return root / "infra/compose/compose.yaml"


@pytest.fixture(scope="module")
def compose(file: Path, tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tool("python", "-c", LOAD, file).stdout)
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


def is_ours(service: Service) -> bool:
    return bool(service["image"].startswith("ib-trading/"))


def test_it_is_valid_by_composes_own_schema(file: Path, tool: Tool) -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    assert checked.returncode == 0, checked.stdout


WRONG = {
    "a misspelt field": ("environment:", "evironment:"),
    "a condition that there is not": ("service_healthy", "service_well"),
    "a number where words belong": ("cap_drop: [ALL]", "cap_drop: [1]"),
    "secrets without a place": ("    file: secrets/ib-username", "    path: secrets/ib-username"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_copy_fails(file: Path, tool: Tool, tmp_path: Path, wrong: str) -> None:
    """So that the check can fail."""
    old, new = WRONG[wrong]
    text = file.read_text("utf-8")
    assert old in text
    copy = tmp_path / "compose.yaml"
    copy.write_text(text.replace(old, new), "utf-8")
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", copy)
    assert checked.returncode != 0


def test_every_function_has_a_service_under_the_name_it_is_pushed_to(
    services: dict[str, Service],
) -> None:
    named = {
        name: one["environment"]["FUNCTION_TARGET"]
        for name, one in services.items()
        if name.startswith("function-")
    }
    assert named == {
        f"function-{name.replace('_', '-')}": name for name in (*STRATEGIES, *WATCHERS)
    }
    pushed = services["first-start"]["environment"]["PUSH_URL"]
    assert pushed == "http://function-{function}:8080"
    ports = {services[name]["environment"]["PORT"] for name in named}
    assert ports == {"8080"}


def test_what_listens_to_the_outside_listens_on_this_machine_only(
    services: dict[str, Service],
) -> None:
    """The emulators know no password, and neither does a broker's API, which is not published."""
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert set(published) == {"pubsub", "firestore"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not [name for name, one in services.items() if one.get("network_mode") == "host"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_starts_with_these_settings_beside_its_broker(
    services: dict[str, Service], name: str
) -> None:
    """By its own reading; it trusts nobody but loopback, so it is in the broker's network."""
    service, broker = services[name], GATEWAYS[name]
    assert service["network_mode"] == f"service:{broker}"
    assert service["profiles"] == services[broker]["profiles"]
    assert broker in service["depends_on"]
    config = from_environment(
        {key: value for key, value in service["environment"].items() if key != "CLOCK_FILE"}
    )
    assert config.mode is Mode.PAPER
    assert config.ib_port == 4002
    port = config.livez_port
    assert f"http://127.0.0.1:{port}/livez" in service["healthcheck"]["test"][-1]


def test_every_name_in_the_environment_is_one_that_the_programs_read(
    services: dict[str, Service],
) -> None:
    known = {one.name.upper() for one in fields(Config)} | OF_PLATFORMS | OF_FIRST_START
    for name, one in services.items():
        if is_ours(one):
            assert set(one.get("environment", {})) <= known, name


def test_the_emulators_listen_where_they_are_looked_for(services: dict[str, Service]) -> None:
    asked = services["commander"]["environment"]
    for name, variable in {
        "pubsub": "PUBSUB_EMULATOR_HOST",
        "firestore": "FIRESTORE_EMULATOR_HOST",
    }.items():
        host, port = asked[variable].split(":")
        assert host == name
        assert services[name]["command"].endswith(f"--host-port=0.0.0.0:{port}")
        assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_simulator_knows_its_options_and_tells_its_time_to_who_goes_by_it(
    services: dict[str, Service],
) -> None:
    options = parser().parse_args(services["simulator"]["command"])
    assert (options.host, options.port) == ("127.0.0.1", 4002)
    commander = services["commander"]["environment"]
    assert str(options.master_client_id) == commander["IB_CLIENT_ID"]
    for name in ("commander", "guard"):
        assert services[name]["environment"]["CLOCK_FILE"] == str(options.clock_file)
        assert services[name]["volumes"] == ["clock:/clock:ro"]


def test_secrets_are_files_that_git_does_not_see(
    compose: dict[str, Any], services: dict[str, Service], root: Path
) -> None:
    assert compose["secrets"] == {
        name: {"file": f"secrets/{name}"} for name in ("ib-username", "ib-password")
    }
    assert "/infra/compose/secrets/" in (root / ".gitignore").read_text("utf-8").splitlines()
    having = {name for name, one in services.items() if "secrets" in one}
    assert having == {"ib-gateway"}
    given = services["ib-gateway"]["environment"]
    assert not {"TWS_USERID", "TWS_PASSWORD"} & set(given)
    assert given["TWS_PASSWORD_FILE"] == "/run/secrets/ib-password"
    assert given["TRADING_MODE"] == "paper"


def test_our_containers_are_confined_and_have_time_to_end(services: dict[str, Service]) -> None:
    for name, one in services.items():
        if not is_ours(one):
            continue
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in one, f"{name}: the image's own, which is not root"
        assert name == "first-start" or one["stop_grace_period"] in ("10s", "15s"), name
    assert services["commander"]["stop_grace_period"] == "15s"
    assert services["ib-gateway"]["stop_grace_period"] == "90s"


def test_our_images_are_built_from_the_files_that_are_deployed(
    services: dict[str, Service], root: Path, file: Path
) -> None:
    built = {one["image"]: one["build"] for one in services.values() if is_ours(one)}
    assert set(built) == {f"ib-trading/{name}:local" for name in OURS}
    for image, build in built.items():
        name = image.removeprefix("ib-trading/").removesuffix(":local")
        assert (file.parent / build["context"]).resolve() == root
        assert build["dockerfile"] == f"infra/containers/{name}.Dockerfile"
        assert (root / build["dockerfile"]).is_file()


def test_other_images_can_be_pinned(services: dict[str, Service]) -> None:
    others = {one["image"] for one in services.values() if not is_ours(one)}
    assert others == {
        "${EMULATORS_IMAGE:-gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators}",
        "${IB_GATEWAY_IMAGE:-ghcr.io/gnzsnz/ib-gateway:stable}",
    }


def test_without_a_word_the_simulator_is_the_broker(root: Path) -> None:
    """Both profiles at once would be two gateways of one mode."""
    lines = (root / "infra/compose/.env").read_text("utf-8").splitlines()
    assert "COMPOSE_PROFILES=simulator" in lines
