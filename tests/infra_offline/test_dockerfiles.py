"""The images' recipes: linted, locked by hash, and with nothing of a build left in what runs."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

type Tool = Callable[..., subprocess.CompletedProcess[str]]

NAMES = ("functions", "gateway", "simulator")
LOCKED = {"functions", "gateway"}
PIP_OPTIONS = {"--require-hashes", "--no-deps", "--only-binary :all:", "--no-cache-dir"}
USER = "10001:10001"

each_file = pytest.mark.parametrize("name", NAMES)


def path_of(root: Path, name: str) -> Path:
    return root / f"infra/containers/{name}.Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with what follows it, on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = (line.strip().split(None, 1) for line in joined.splitlines() if line.strip())
    return [(word.upper(), " ".join(rest.split())) for word, rest in found]


def last_stage(text: str) -> list[tuple[str, str]]:
    found = instructions(text)
    starts = [index for index, (word, _) in enumerate(found) if word == "FROM"]
    return found[starts[-1] :]


def faults(root: Path, name: str, text: str) -> Iterator[str]:
    """What is wrong with a recipe that a linter for all recipes cannot know."""
    yield from _build_faults(root, name, text)
    yield from _final_faults(text)


def _build_faults(root: Path, name: str, text: str) -> Iterator[str]:
    found = instructions(text)
    bases = [rest.split(" AS ")[0] for word, rest in found if word == "FROM"]
    if bases != ["${BASE}"] * 2 or found[0][0] != "ARG":
        yield "two stages must stand on one base that a digest can be given for"
    for word, rest in found:
        if word == "COPY" and "--from=" not in rest:
            source = rest.split()[0]
            if not (root / source).exists():
                yield f"{source} does not exist"
            if not allowed(root, source):
                yield f"{source} is left out by .dockerignore"
        if word == "RUN" and "pip" in rest and not all(o in rest for o in PIP_OPTIONS):
            yield "pip must be bound to the lock"
    if name in LOCKED and f"COPY requirements/{name}.txt" not in text:
        yield "its lock is not copied"


def _final_faults(text: str) -> Iterator[str]:
    final = last_stage(text)
    words = [word for word, _ in final]
    said = dict(final)
    if {"RUN", "ADD"} & set(words):
        yield "what runs is copied from the build, and nothing is run in it"
    if said.get("USER") != USER or words.index("USER") > words.index("ENTRYPOINT"):
        yield f"it must run as {USER}"
    if not said["ENTRYPOINT"].startswith("["):
        yield "a shell as process 1 passes no signal on"
    if said.get("STOPSIGNAL") != "SIGTERM":
        yield "it must say how it is stopped"
    if "HEALTHCHECK" in words:
        yield "the platforms ignore HEALTHCHECK; they ask /livez"
    if re.search(r"(?i)password|secret|token", " ".join(rest for _, rest in final)):
        yield "a secret has no place in an image"


def allowed(root: Path, source: str) -> bool:
    """Whether .dockerignore, which leaves out all that it does not name, lets a path in."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    return any(source == one or source.startswith(f"{one}/") for one in kept)


@each_file
def test_hadolint_finds_nothing(root: Path, tool: Tool, name: str) -> None:
    found = tool("hadolint", path_of(root, name))
    assert found.returncode == 0, found.stdout


WORSE = (
    ("USER 10001:10001", "USER root", "DL3002"),
    ("WORKDIR /app\n", "WORKDIR app\n", "DL3000"),
    ('ENTRYPOINT ["python"', 'ENTRYPOINT python "', "DL3025"),
    ("FROM ${BASE}\n", "FROM python:latest\n", "DL3007"),
)


@pytest.mark.parametrize("worse", WORSE, ids=[code for *_, code in WORSE])
def test_hadolint_finds_what_is_wrong_in_a_worse_copy(
    root: Path, tool: Tool, tmp_path: Path, worse: tuple[str, str, str]
) -> None:
    right, wrong, code = worse
    text = path_of(root, "gateway").read_text(encoding="utf-8")
    assert right in text
    copy = tmp_path / "Dockerfile"
    copy.write_text(text.replace(right, wrong), encoding="utf-8")
    found = tool("hadolint", copy)
    assert found.returncode != 0
    assert code in found.stdout


@each_file
def test_each_recipe_keeps_our_rules(root: Path, name: str) -> None:
    assert list(faults(root, name, path_of(root, name).read_text(encoding="utf-8"))) == []


WRONG = (
    ("USER 10001:10001\n", "", "it must run as"),
    ("USER 10001:10001", "USER root", "it must run as"),
    ("--require-hashes", "", "pip must be bound to the lock"),
    ("--only-binary :all:", "", "pip must be bound to the lock"),
    ("COPY schemas schemas", "COPY scheme schemas", "scheme does not exist"),
    ("COPY schemas schemas", "COPY README.md schemas", "README.md is left out by .dockerignore"),
    ("STOPSIGNAL SIGTERM", "RUN apt-get install gcc", "nothing is run in it"),
    ("STOPSIGNAL SIGTERM", "HEALTHCHECK NONE", "they ask /livez"),
    ("PYTHONUNBUFFERED=1", "TWS_PASSWORD=1", "a secret has no place"),
    ("FROM ${BASE}\n", "FROM python:3.13\n", "one base"),
    ('ENTRYPOINT ["python"', 'ENTRYPOINT python "', "a shell as process 1"),
    ("COPY requirements/functions.txt requirements.txt", "", "its lock is not copied"),
)


@pytest.mark.parametrize(("right", "wrong", "sentence"), WRONG)
def test_our_rules_find_what_is_wrong_in_a_worse_copy(
    root: Path, right: str, wrong: str, sentence: str
) -> None:
    text = path_of(root, "functions").read_text(encoding="utf-8")
    assert right in text
    worse = text.replace(right, wrong).replace("COPY requirements/functions.txt requirements/", "")
    assert any(sentence in fault for fault in faults(root, "functions", worse))


@pytest.mark.parametrize("name", sorted(LOCKED))
def test_every_library_of_a_lock_has_its_hashes_and_an_exact_version(root: Path, name: str) -> None:
    text = (root / f"requirements/{name}.txt").read_text(encoding="utf-8")
    pins = [line for line in text.replace("\\\n", " ").splitlines() if not line.startswith("#")]
    assert len(pins) > 10
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9.-]+==\S+(?: ;[^-]+)?(?: +--hash=sha256:[0-9a-f]{64})+ *", pin)


def test_what_lies_about_gets_into_no_image(root: Path) -> None:
    """All is left out but what is named, so a secret beside it stays where it is."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    for place in (".env", ".git/config", "credentials.json", "requirements/dev.txt", "tests"):
        assert not allowed(root, place)


def test_the_shell_that_enters_an_image_is_sound(root: Path, tool: Tool) -> None:
    found = tool("shellcheck", root / "infra/containers/enter.sh")
    assert found.returncode == 0, found.stdout
