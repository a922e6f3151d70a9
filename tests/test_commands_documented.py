"""`docs/commands.md` against the code: every command, every field, and examples that decode."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from schemas.codec import decode_command
from schemas.commands import COMMANDS

TEXT = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = {
    heading: body for heading, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
}
SPOKEN_OF_ABOVE = {"command", "run_id", "by", "reason"}


def test_the_commands_and_no_others_have_a_section() -> None:
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_message_that_is_understood(name: str) -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", SECTIONS[name], re.S)
    assert type(decode_command(example.encode())) is COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_is_spoken_of(name: str) -> None:
    fields = {field.name.rstrip("_") for field in dataclasses.fields(COMMANDS[name])}
    spoken = set(re.findall(r"`\"?(\w+)[^`]*`", SECTIONS[name])) | SPOKEN_OF_ABOVE
    (example,) = re.findall(r"```json\n(.*?)\n```", SECTIONS[name], re.S)
    assert fields <= spoken | set(json.loads(example))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_says_what_is_written(name: str) -> None:
    assert re.search(r"Writes(:| as `run` does)", SECTIONS[name])
