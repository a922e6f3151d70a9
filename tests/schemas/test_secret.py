"""A secret shows itself to nobody but who asks for it."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from schemas import codec
from schemas.secret import HIDDEN, NoSecret, Secret, given, secret_id

PLANTED = "hunter2-planted"


@dataclass(frozen=True)
class Holder:
    """A record with a secret in it."""

    token: Secret


@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__, ascii])
def test_no_way_of_printing_shows_it(show: Callable[[Any], str]) -> None:
    assert show(Secret(PLANTED)) == HIDDEN
    assert PLANTED not in show(Holder(Secret(PLANTED)))


def test_only_reveal_gives_it_away() -> None:
    assert Secret(PLANTED).reveal() == PLANTED


@pytest.mark.parametrize("keep", [copy.copy, copy.deepcopy, pickle.dumps, json.dumps])
def test_it_is_neither_copied_nor_serialized(keep: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        keep(Secret(PLANTED))


def test_a_document_cannot_hold_it_in_a_readable_form() -> None:
    assert PLANTED not in repr(codec.to_document(Holder(Secret(PLANTED))))


def read(path: str) -> str:
    files = {"full": f"{PLANTED}\n", "empty": "\n"}
    if path not in files:
        raise FileNotFoundError(path)
    return files[path]


@pytest.mark.parametrize("environment", [{"TOKEN": PLANTED}, {"TOKEN_FILE": "full"}])
def test_it_comes_from_a_variable_or_a_file_without_the_end_of_its_line(
    environment: dict[str, str],
) -> None:
    found = given("TOKEN", environment, read)
    assert found is not None
    assert found.reveal() == PLANTED


def test_where_neither_is_set_there_is_none() -> None:
    assert given("TOKEN", {"TOKEN": "", "OTHER": "x"}, read) is None


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"TOKEN": PLANTED, "TOKEN_FILE": "full"}, "TOKEN and TOKEN_FILE are both set"),
        ({"TOKEN_FILE": "gone"}, "TOKEN_FILE: gone cannot be read: FileNotFoundError"),
        ({"TOKEN_FILE": "empty"}, "TOKEN_FILE: empty is empty"),
    ],
)
def test_what_cannot_be_had_is_a_sentence_without_the_value(
    environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(NoSecret) as caught:
        given("TOKEN", environment, read)
    assert sentence in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_one_name_means_the_same_everywhere() -> None:
    assert secret_id("WEBHOOK_URL") == "webhook-url"
    with pytest.raises(ValueError, match="such as ALERT_WEBHOOK_URL, not 'webhook-url'"):
        secret_id("webhook-url")
