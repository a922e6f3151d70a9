"""A secret as a value that shows itself to nobody, and how one is named everywhere. Pure.

One name, three places, and nothing else to configure: the secret `ALERT_WEBHOOK_URL` is the
environment variable `ALERT_WEBHOOK_URL`, or the file that `ALERT_WEBHOOK_URL_FILE` names, or
`alert-webhook-url` in Secret Manager. A project has one mode, so no name says the mode.

`gateway.secrets.secret` is the gateway's door. A function has its secrets as variables or files, by
its deployment, so there `given(name, os.environ, read)` is all that is needed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

HIDDEN: Final = "<hidden>"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


class NoSecret(Exception):
    """A secret cannot be had; the text says where it was sought, and holds no value."""


class Secret:
    """Text that neither prints, formats nor serializes; only `reveal` gives it away.

    Call `reveal` where the value is used, and keep what it returns in no variable of an object.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled")


def secret_id(name: str) -> str:
    """The name in Secret Manager: `TOKEN_A` -> `token-a`. Raises `ValueError` for what is none."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a secret's name is of A-Z, 0-9 and _, such as ALERT_WEBHOOK_URL, not {name!r}"
        )
    return name.lower().replace("_", "-")


def given(name: str, environment: Mapping[str, str], read: Callable[[str], str]) -> Secret | None:
    """The secret as variable or file; None where neither is set.

    `read` gives a file's text by its path; a line's end after it is none of the secret. Raises
    `NoSecret` where both are set, or the file cannot be read, or has nothing in it.
    """
    secret_id(name)
    value, path = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if value and path:
        raise NoSecret(f"{name} and {name}_FILE are both set; set one of them")
    if not path:
        return Secret(value) if value else None
    try:
        text = read(path).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
        raise NoSecret(f"{name}_FILE: {path} cannot be read: {reason}") from None
    if not text:
        raise NoSecret(f"{name}_FILE: {path} is empty")
    return Secret(text)
