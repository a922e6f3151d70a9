"""Messages and documents as they were written once: they still decode, and encode the same.

`GOLDEN=write` writes the files anew from what they decode to, after a field with a default was
added; a change that old files do not survive is a new version of the contract.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import decode, encode, from_document, to_document
from schemas.documents import DOCUMENTS
from schemas.messages import TOPICS, Message

FOLDER = Path(__file__).parent / "golden"
MESSAGES = {f"{topic}.{kind.__name__}.json": kind for kind, topic in TOPICS.items()}
RECORDS = {f"{kind.__name__}.json": kind for kind in DOCUMENTS}


def text_of(found: Any) -> str:
    return json.dumps(found, indent=2, default=timestamp) + "\n"


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check(path: Path, again: str) -> None:
    if os.environ.get("GOLDEN") == "write":
        path.write_text(again, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == again


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_message_decodes_and_encodes_the_same(name: str) -> None:
    path = FOLDER / name
    kind: type[Message] = MESSAGES[name]
    check(path, text_of(json.loads(encode(decode(kind, path.read_bytes())))))


@pytest.mark.parametrize("name", RECORDS)
def test_a_golden_document_decodes_and_encodes_the_same(name: str) -> None:
    path = FOLDER / name
    document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    check(path, text_of(to_document(from_document(RECORDS[name], document))))


def test_no_golden_file_is_of_something_that_is_no_more() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {*MESSAGES, *RECORDS}
