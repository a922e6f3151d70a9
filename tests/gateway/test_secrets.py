"""One function to every secret: variable, file, Secret Manager, and one clear error."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.secretmanager import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    SecretPayload,
)

from gateway.secrets import secret
from schemas.secret import NoSecret

PLANTED = "hunter2-planted"
PATH = "projects/p/secrets/webhook-url/versions/latest"
METHOD = "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion"

type Kept = dict[str, bytes]


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Secret Manager over a socket, as much of it as is called."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    def service(self, details: Any) -> Any:
        """The one method there is."""
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.access,
            AccessSecretVersionRequest.deserialize,
            AccessSecretVersionResponse.serialize,
        )

    def access(self, request: AccessSecretVersionRequest, context: Any) -> Any:
        """The version asked for, or NOT_FOUND."""
        if request.name not in self.kept:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found")
        payload = SecretPayload(data=self.kept[request.name])
        return AccessSecretVersionResponse(name=request.name, payload=payload)


@contextmanager
def served(kept: Kept) -> Iterator[SecretManagerServiceClient]:
    """Google's own client, connected to our server."""
    server = grpc.server(ThreadPoolExecutor(1), handlers=(Service(kept),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield SecretManagerServiceClient(
            transport=SecretManagerServiceGrpcTransport(channel=channel)
        )
    server.stop(None).wait()


def test_the_environment_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{PLANTED}\n")
    with served({PATH: b"another"}) as client:
        for environment in ({"WEBHOOK_URL": PLANTED}, {"WEBHOOK_URL_FILE": str(file)}):
            found = secret("WEBHOOK_URL", {**environment, "GOOGLE_CLOUD_PROJECT": "p"}, client)
            assert found.reveal() == PLANTED


def test_secret_manager_is_asked_for_the_newest_version_in_the_project() -> None:
    with served({PATH: PLANTED.encode() + b"\n"}) as client:
        found = secret("WEBHOOK_URL", {"GOOGLE_CLOUD_PROJECT": "p"}, client)
    assert found.reveal() == PLANTED
    assert PLANTED not in repr(found)


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ({}, f"Secret Manager did not give {PATH}: NotFound: 404"),
        ({PATH: b""}, f"{PATH} is empty; add a version that is not"),
        ({PATH: b"\xff" + PLANTED.encode()}, f"{PATH} is not UTF-8 text"),
    ],
)
def test_what_secret_manager_cannot_give_is_one_sentence(kept: Kept, sentence: str) -> None:
    with served(kept) as client, pytest.raises(NoSecret) as caught:
        secret("WEBHOOK_URL", {"GOOGLE_CLOUD_PROJECT": "p"}, client)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_without_a_project_it_is_said_what_to_set() -> None:
    with pytest.raises(NoSecret, match="set WEBHOOK_URL or WEBHOOK_URL_FILE, or GOOGLE_CLOUD_PROJ"):
        secret("WEBHOOK_URL", {})


def test_a_file_that_is_not_text_is_said_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff" + PLANTED.encode())
    with pytest.raises(NoSecret, match="cannot be read: UnicodeDecodeError") as caught:
        secret("WEBHOOK_URL", {"WEBHOOK_URL_FILE": str(file)})
    assert PLANTED not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_credentials_it_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Google's client is made only here, and finds none."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(NoSecret, match=f"did not give {PATH}: DefaultCredentialsError: "):
        secret("WEBHOOK_URL", {"GOOGLE_CLOUD_PROJECT": "p"})
