"""Secrets, from wherever they are kept: `secret(name)` is the only way to one.

The environment or a file first (a laptop, a mounted volume), else Secret Manager; `schemas.secret`
has the names. Google's client is imported only when it is asked. A value appears in no error.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.secret import NoSecret, Secret, given, secret_id

if TYPE_CHECKING:
    from google.cloud.secretmanager import SecretManagerServiceClient

SECONDS_MAX: Final = 10.0
"""For Secret Manager to answer, retries included: secrets are read at start only."""


def secret(
    name: str,
    environment: Mapping[str, str] = os.environ,
    client: "SecretManagerServiceClient | None" = None,
) -> Secret:
    """The secret of this name, such as `ALERT_WEBHOOK_URL`. Raises `NoSecret`, or `ValueError` for
    what is no name.

    Blocks for at most `SECONDS_MAX`. `client` is Google's own where none is passed in.
    """
    found = given(name, environment, _text)
    if found is not None:
        return found
    project = environment.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise NoSecret(
            f"{name} is not set; set {name} or {name}_FILE, or GOOGLE_CLOUD_PROJECT to ask "
            f"Secret Manager for {secret_id(name)}"
        )
    return _accessed(f"projects/{project}/secrets/{secret_id(name)}/versions/latest", client)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _accessed(path: str, client: "SecretManagerServiceClient | None") -> Secret:
    """What Secret Manager says."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.api_core.retry import Retry
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.secretmanager import SecretManagerServiceClient

    try:
        asked = client or SecretManagerServiceClient()
        answer = asked.access_secret_version(
            name=path, timeout=SECONDS_MAX, retry=Retry(timeout=SECONDS_MAX)
        )
        text = answer.payload.data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # The error itself would hold the bytes, so it is no cause of ours.
        raise NoSecret(f"{path} is not UTF-8 text; add a version that is") from None
    except (GoogleAPICallError, GoogleAuthError, RetryError) as error:
        raise NoSecret(f"Secret Manager did not give {path}: {_reason(error)}") from error
    if not text:
        raise NoSecret(f"{path} is empty; add a version that is not")
    return Secret(text)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
