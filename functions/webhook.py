"""Posting a sentence to a chat's or pager's incoming webhook, Slack's and all that speak like it.

The URL is the secret: whoever has it can post. It is read from `ALERT_WEBHOOK_URL`, which Cloud Run
fills from Secret Manager, or from the file that `ALERT_WEBHOOK_URL_FILE` names, and is in no log
and no exception: what the client raises may quote it.
"""

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.secret import given

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Undelivered(Exception):
    """It did not get through for now; the message that told it shall come again."""


class Refused(Exception):
    """It will never get through like this: a wrong URL, a webhook that was removed."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Real seconds. All attempts together stay under the subscription's deadline of 60 s."""

    attempts_max: int = 4
    timeout_seconds: float = 5.0
    delay_seconds: float = 1.0
    total_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """One incoming webhook. Its `repr` has no URL."""

    url: str = field(repr=False)
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep

    def post(self, text: str) -> None:
        """Post `{"text": ...}`; try again on 408, 429, 5xx, silence and a refused connection.

        Raises `Undelivered` when the patience is over, or when it is told to wait for longer;
        `Refused` for a URL or an answer that no repetition makes better.
        """
        body = json.dumps({"text": text}).encode()
        end = time.monotonic() + self.patience.total_seconds
        for attempt in range(1, self.patience.attempts_max + 1):
            fault, asked_seconds = self._try(body)
            if not fault:
                return
            doubled = self.patience.delay_seconds * 2 ** (attempt - 1)
            # Jitter, so that instances which failed together do not come again together.
            wait_seconds = asked_seconds or doubled * random.uniform(0.5, 1.0)
            is_last = attempt == self.patience.attempts_max
            if is_last or time.monotonic() + wait_seconds > end:
                raise Undelivered(f"the webhook did not take it, {attempt} attempts: {fault}")
            self.sleep(wait_seconds)

    def _try(self, body: bytes) -> tuple[str, float]:
        """What went wrong and how long the server wants us to wait; empty when nothing did."""
        try:
            status, headers = self._answer(body)
        except (http.client.InvalidURL, ValueError, UnicodeError):
            raise Refused("ALERT_WEBHOOK_URL is no URL; set the secret anew") from None
        except urllib.error.URLError as error:
            return f"{type(error.reason).__name__}", 0.0  # not its text: that may be anything
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}", 0.0
        return _judged(status, headers)

    def _answer(self, body: bytes) -> tuple[int, Message]:
        request = urllib.request.Request(
            _checked(self.url), data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with _OPENER.open(request, timeout=self.patience.timeout_seconds) as response:
                return response.status, response.headers
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, error.headers


def configured(environment: Mapping[str, str] = os.environ) -> Webhook | None:
    """The webhook of this deployment; None where none is set, and alerts are only logged.

    Raises `NoSecret`, whose text has no URL.
    """
    found = given("ALERT_WEBHOOK_URL", environment, lambda path: Path(path).read_text("utf-8"))
    url = found.reveal().strip() if found else ""
    return Webhook(url) if url else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the sentence, and count as told."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


_OPENER: Final = urllib.request.build_opener(_NoRedirect)


def _checked(url: str) -> str:
    """Raise `Refused` for a URL over which the secret or the sentence could be read by others."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return url
    raise Refused("ALERT_WEBHOOK_URL must begin with https://; set the secret anew")


def _judged(status: int, headers: Message) -> tuple[str, float]:
    if 200 <= status < 300:
        return "", 0.0
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or status >= 500:
        return f"it answered {status}", _retry_after_seconds(headers.get("Retry-After", ""))
    raise Refused(f"the webhook answered {status}, and will again: set its URL anew")


def _retry_after_seconds(said: str) -> float:
    """Seconds or a date, as HTTP has it; 0 for nothing or for what is neither."""
    if said.strip().isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    at = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
