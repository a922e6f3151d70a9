"""The manifests for GKE: valid, one pod at most, nothing inbound, and what the gateway reads."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from gateway.config import Config, Misconfigured, from_environment
from gateway.safety import PORTS
from infra.topology import topology
from schemas.secret import secret_id
from schemas.values import Mode

type Tool = Callable[..., subprocess.CompletedProcess[str]]
type Manifest = dict[str, Any]

LOAD = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))"
CUSTOM = "secrets-store.csi.x-k8s.io/v1"
"""Of a resource that no schema of Kubernetes' own knows."""


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "infra/gke"


def rendered(installed: Tool, folder: Path, mode: str, to: Path) -> Path:
    """One file with all the manifests of a mode."""
    done = installed("kubectl", "kustomize", folder / "overlays" / mode)
    assert done.returncode == 0, done.stderr
    file = to / f"{mode}.yaml"
    file.write_text(done.stdout, "utf-8")
    return file


def verdict(tool: Tool, file: Path) -> tuple[int, list[str]]:
    """The exit code of the strict check, and its warnings and failures."""
    done = tool("kubernetes-validate", "--strict", "--quiet", file)
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line]


@pytest.fixture(scope="module", params=list(Mode))
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param)


@pytest.fixture(scope="module")
def file(
    installed: Tool, folder: Path, mode: Mode, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return rendered(installed, folder, mode, tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module")
def manifests(tool: Tool, file: Path) -> list[Manifest]:
    found: list[Manifest] = json.loads(tool("python", "-c", LOAD, file).stdout)
    return found


def only(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [one for one in manifests if one["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def pod(manifests: list[Manifest]) -> Manifest:
    found: Manifest = only(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return found


def containers(pod: Manifest) -> dict[str, Manifest]:
    return {one["name"]: one for one in (*pod["initContainers"], *pod["containers"])}


def environment(manifests: list[Manifest], container: Manifest) -> dict[str, str]:
    """What a container gets in its environment; what the pod says of itself as its field."""
    maps = {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]
    for one in container["env"]:
        found[one["name"]] = one.get("value") or one["valueFrom"]["fieldRef"]["fieldPath"]
    return found


# ---------------------------------------------------------------------- is it valid


def test_the_manifests_of_a_mode_are_valid_by_strict_schemas(tool: Tool, file: Path) -> None:
    """The one warning is about the secrets' own kind, of which the add-on knows the schema."""
    code, told = verdict(tool, file)
    assert code == 0
    assert [line for line in told if CUSTOM not in line] == []


WRONG = {
    "a misspelt probe": ("stateful-set.yaml", "startupProbe:", "startupProb:"),
    "a word for a number": ("stateful-set.yaml", "replicas: 1", "replicas: one"),
    "a field that a pod has and its set does not": (
        "stateful-set.yaml",
        "  replicas: 1",
        "  terminationGracePeriodSeconds: 120",
    ),
    "a port that is none": ("network-policy.yaml", "protocol: UDP", "protokol: UDP"),
    "a budget without its unit": ("disruption-budget.yaml", "maxUnavailable", "maxUnavailble"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_copy_fails(
    folder: Path, tool: Tool, installed: Tool, tmp_path: Path, wrong: str
) -> None:
    """So that the check can fail."""
    copy = tmp_path / "gke"
    copytree(folder, copy)
    name, old, new = WRONG[wrong]
    manifest = copy / "base" / name
    text = manifest.read_text("utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), "utf-8")
    code, told = verdict(tool, rendered(installed, copy, "paper", tmp_path))
    assert code != 0
    assert [line for line in told if CUSTOM not in line]


def test_a_patch_of_something_that_is_not_there_does_not_render(
    folder: Path, installed: Tool, tmp_path: Path
) -> None:
    """The live port is put into the IB Gateway's probe, or nowhere."""
    copy = tmp_path / "gke"
    copytree(folder, copy)
    manifest = copy / "base/stateful-set.yaml"
    text = manifest.read_text("utf-8").replace("- name: ib-gateway\n", "- name: renamed\n", 1)
    manifest.write_text(text, "utf-8")
    assert installed("kubectl", "kustomize", copy / "overlays/live").returncode != 0


# ---------------------------------------------------------------------- one pod at most


def test_there_is_one_pod_and_it_is_gone_before_the_next_starts(manifests: list[Manifest]) -> None:
    """[R3] That, a StatefulSet promises; a Deployment would start the next beside it."""
    spec = only(manifests, "StatefulSet")["spec"]
    assert spec["replicas"] == 1
    assert spec["updateStrategy"] == {"type": "RollingUpdate"}
    assert not [one for one in manifests if one["kind"] in ("Deployment", "ReplicaSet", "Job")]


def test_the_commander_ends_before_the_ib_gateway_and_both_have_time(pod: Manifest) -> None:
    """A native sidecar starts first and stops last."""
    assert pod["terminationGracePeriodSeconds"] == 120
    (gateway,) = pod["initContainers"]
    assert gateway["name"] == "ib-gateway"
    assert gateway["restartPolicy"] == "Always"
    assert [one["name"] for one in pod["containers"]] == ["commander", "guard"]


def test_ibs_settings_outlive_the_pod_and_belong_to_one_pod_only(
    manifests: list[Manifest], pod: Manifest
) -> None:
    """Only the settings: an empty volume over the program would hide it."""
    (claim,) = only(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    gateway = containers(pod)["ib-gateway"]
    mounts = {one["name"]: one["mountPath"] for one in gateway["volumeMounts"]}
    path = environment(manifests, gateway)["TWS_SETTINGS_PATH"]
    assert mounts[claim["metadata"]["name"]] == path
    retention = only(manifests, "StatefulSet")["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert set(retention.values()) == {"Retain"}


def test_no_session_is_ended_at_will(manifests: list[Manifest], pod: Manifest) -> None:
    budget = only(manifests, "PodDisruptionBudget")["spec"]
    labels = only(manifests, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert budget["maxUnavailable"] == 0
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_a_login_that_waits_for_a_person_ends_no_container(
    manifests: list[Manifest], pod: Manifest
) -> None:
    """The IB Gateway is probed where its container lives, not where its login shows."""
    gateway = containers(pod)["ib-gateway"]
    mode = environment(manifests, gateway)["TRADING_MODE"]
    assert gateway["startupProbe"]["tcpSocket"]["port"] == {"paper": 4004, "live": 4003}[mode]
    assert "livenessProbe" not in gateway
    assert environment(manifests, gateway)["TWOFA_TIMEOUT_ACTION"] == "exit"


def test_what_stands_still_is_started_again(manifests: list[Manifest], pod: Manifest) -> None:
    for name, port in {"commander": 8080, "guard": 8081}.items():
        container = containers(pod)[name]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port}
        assert container["startupProbe"]["httpGet"] == {"path": "/livez", "port": port}
        assert environment(manifests, container)["LIVEZ_PORT"] == str(port)


# ---------------------------------------------------------------------- who may do what


def test_no_container_is_root_or_can_become_it(pod: Manifest) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    users = {}
    for name, container in containers(pod).items():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        users[name] = context["runAsUser"], context.get("readOnlyRootFilesystem", False)
    ours = (10001, True)
    assert users == {"ib-gateway": (1000, False), "commander": ours, "guard": ours}


def test_images_are_named_by_digest_and_come_from_artifact_registry(pod: Manifest) -> None:
    for container in containers(pod).values():
        assert re.fullmatch(
            r"[a-z0-9-]+-docker\.pkg\.dev/.+@sha256:[0-9a-f]{64}", container["image"]
        )


def test_every_container_has_a_bound_of_memory(pod: Manifest) -> None:
    for container in containers(pod).values():
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


def test_nothing_comes_in(manifests: list[Manifest]) -> None:
    """IB's API has no password, and its forwarder listens on every address."""
    policy = only(manifests, "NetworkPolicy")["spec"]
    assert policy["podSelector"] == {}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["ingress"] == []
    service = only(manifests, "Service")["spec"]
    assert service["clusterIP"] == "None"
    assert "ports" not in service
    assert not [one for one in manifests if one["kind"] in ("Ingress", "Gateway", "HTTPRoute")]


def test_what_goes_out_is_names_identity_google_and_ib(manifests: list[Manifest]) -> None:
    """No label of ours may stand in the selector of the cluster's DNS: it would match nothing."""
    names, *_, outside = only(manifests, "NetworkPolicy")["spec"]["egress"]
    assert names["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert [one["port"] for one in outside["ports"]] == [443, 4000, 4001]
    (block,) = outside["to"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(
        block["ipBlock"]["except"]
    )


def test_secrets_are_files_from_secret_manager_and_no_secret_is_in_kubernetes(
    manifests: list[Manifest], pod: Manifest
) -> None:
    kinds = [one["kind"] for one in manifests]
    assert "Secret" not in kinds
    provider = only(manifests, "SecretProviderClass")["spec"]
    assert provider["provider"] == "gke"
    named = re.findall(r"secrets/([\w-]+)/versions/latest", provider["parameters"]["secrets"])
    assert named == [secret_id("IB_USERNAME"), secret_id("IB_PASSWORD")]
    mounted = [
        name
        for name, container in containers(pod).items()
        if "ib" in {one["name"] for one in container["volumeMounts"]}
    ]
    assert mounted == ["ib-gateway"]


def test_no_pod_has_a_token_of_kubernetes(manifests: list[Manifest], pod: Manifest) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == only(manifests, "ServiceAccount")["metadata"]["name"]


def test_everything_is_in_the_namespace_of_its_mode(manifests: list[Manifest], mode: Mode) -> None:
    names = {one["metadata"].get("namespace") for one in manifests if one["kind"] != "Namespace"}
    assert names == {f"ib-trading-{mode}"}


# ---------------------------------------------------------------------- agreement


@pytest.mark.parametrize("name", ["commander", "guard"])
def test_the_gateway_starts_with_these_settings_once_a_person_has_filled_them_in(
    manifests: list[Manifest], pod: Manifest, mode: Mode, name: str
) -> None:
    """By the gateway's own reading; as they stand here it refuses to start."""
    given = environment(manifests, containers(pod)[name])
    with pytest.raises(Misconfigured, match="GOOGLE_CLOUD_PROJECT must be set"):
        from_environment(given)
    filled = {**given, "GOOGLE_CLOUD_PROJECT": "mine"}
    if mode is Mode.LIVE:
        with pytest.raises(Misconfigured, match="LIVE_TRADING_ACCEPTED must name the account"):
            from_environment(filled)
        filled["LIVE_TRADING_ACCEPTED"] = "U0000000"
    config = from_environment(filled)
    assert config.mode is mode
    assert config.ib_port == PORTS[mode][0]


def test_every_name_in_the_environment_is_one_that_the_gateway_reads(
    manifests: list[Manifest], pod: Manifest, root: Path
) -> None:
    """Here and in Terraform: a misspelt name would be read by nobody."""
    known = {one.name.upper() for one in fields(Config)}
    for name in ("commander", "guard"):
        assert set(environment(manifests, containers(pod)[name])) <= known
    pool = (root / "infra/terraform/modules/trading/worker_pool.tf").read_text("utf-8")
    (block,) = re.findall(r"\n  environment = merge\((.*?)\n  \)\n", pool, flags=re.S)
    named = set(re.findall(r"\b([A-Z][A-Z_]+)\s+=", block))
    assert {"MODE", "IB_PORT", "LIVE_TRADING_ACCEPTED"} <= named <= known


def test_the_two_sides_of_the_api_agree(manifests: list[Manifest], pod: Manifest) -> None:
    """The same mode, the master client that hears of manual trades [B2], the same restart."""
    ours = environment(manifests, containers(pod)["commander"])
    theirs = environment(manifests, containers(pod)["ib-gateway"])
    assert theirs["TRADING_MODE"] == ours["MODE"]
    assert theirs["TWS_MASTER_CLIENT_ID"] == ours["IB_CLIENT_ID"]
    assert (theirs["AUTO_RESTART_TIME"], ours["IB_DAILY_RESTART"]) == ("11:45 PM", "23:45")
    assert theirs["TIME_ZONE"] == "America/New_York"
    assert theirs["EXISTING_SESSION_DETECTED_ACTION"] == "primaryoverride"


# ---------------------------------------------------------------------- the guide


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    return (root / "docs/how-to/gke.md").read_text("utf-8")


def test_the_guide_gives_the_pod_what_terraform_gives_the_pool(guide: str, root: Path) -> None:
    """No more and no less; both are lists of names, and may not part."""
    terraform = root / "infra/terraform/modules/trading"
    (publishes,) = re.findall(
        r"commander = \[([^]]*)\]", (terraform / "accounts.tf").read_text("utf-8")
    )
    reads = re.findall(r'([\w-]+) += "commander"', (terraform / "secrets.tf").read_text("utf-8"))
    given = dict(re.findall(r"for (\w+ in [^;]+); do gcloud ([\w]+ ?[\w]*) add-iam", guide))
    names = {kind: words.split(" in ")[1].split() for words, kind in given.items()}
    pulled = [
        one.name.removeprefix("gateway-").removesuffix("-paper")
        for one in topology(Mode.PAPER, {}).subscriptions
        if one.name.startswith("gateway-")
    ]
    assert names == {
        "pubsub topics": re.findall(r"[\w-]+", publishes),
        "pubsub subscriptions": pulled,
        "secrets": reads,
    }


def test_the_guide_binds_the_rights_to_the_name_that_the_pod_has(
    guide: str, manifests: list[Manifest], mode: Mode
) -> None:
    account = only(manifests, "ServiceAccount")["metadata"]
    subject = f"ns/{account['namespace']}/sa/{account['name']}".replace(f"-{mode}/", "-$MODE/")
    assert f'/subject/{subject}"' in guide
    assert f"statefulset/{only(manifests, 'StatefulSet')['metadata']['name']} " in guide


def test_every_command_of_the_guide_is_one_that_a_shell_can_read(
    guide: str, tmp_path: Path, tool: Tool
) -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", guide, flags=re.S | re.M)
    assert len(blocks) > 5
    script = tmp_path / "guide.sh"
    script.write_text("#!/bin/bash\n" + "\n".join(blocks), "utf-8")
    # What the deploy guide has set; that a folder is missing a person sees.
    checked = tool("shellcheck", "--exclude=SC2154,SC2153,SC2164", script)
    assert checked.stdout == ""


def test_the_modules_and_files_that_the_guide_names_are_there(guide: str, root: Path) -> None:
    for module in set(re.findall(r"-m (gateway\.\w+)", guide)):
        assert (root / f"{module.replace('.', '/')}.py").is_file(), module
    for page in re.findall(r"\]\(([\w./-]+\.md)\)", guide):
        assert (root / "docs/how-to" / page).is_file(), page
    assert (root / "infra/terraform/modules/trading/accounts.tf").is_file()
