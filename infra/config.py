"""What people set, looked after from the command line: `python -m infra.config init|check|diff`.

It reads `config/`, `control/` and `strategies/` in Firestore (FIRESTORE_EMULATOR_HOST is honoured).
Only `init` writes, and only documents that are absent.

Exit codes: 0 good, 1 something is wrong with what is set, 2 it cannot be told: wrong arguments, no
credentials, no answer.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from functions.registry import STRATEGIES, load, specs
from gateway.core.configuration import Remark, Written, remarks
from gateway.ports import Denied, Store, Unavailable
from gateway.store import GoogleStore
from infra.init import create_missing, documents, strategy_documents
from infra.settings_diff import changes, differing, in_force, with_document
from infra.strategy_files import differences
from schemas.codec import Invalid, from_document
from schemas.documents import path_of
from schemas.settings import StrategyDocument
from schemas.values import Mode

COLLECTIONS: Final = ("config", "control", "strategies")

type OpenStore = Callable[[str], Store]


class Unusable(ValueError):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose configuration: the store of one project, and the mode."""

    store: Store
    mode: Mode
    project: str


def main(arguments: Sequence[str] | None = None, open_store: OpenStore = GoogleStore) -> int:
    """Do what is asked, print it, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.project:
        parser.error("--project is needed, or GOOGLE_CLOUD_PROJECT in the environment")
    if options.mode not in list(Mode):
        parser.error("--mode is needed, paper or live, or MODE in the environment")
    if getattr(options, "file", None) and not options.document:
        parser.error("name the document that the file is for, such as config/paper")
    try:
        code, lines = asyncio.run(_done(options, open_store))
    except (Denied, Unavailable, Unusable, OSError) as error:
        print(f"{options.action}: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return code


async def init(place: Place) -> tuple[int, list[str]]:
    """Create what is absent; say what was created and what was there."""
    ours = specs()
    created = await create_missing(place.store, place.mode, ours)
    lines = [
        f"created     {path}" if path in created else f"left alone  {path}"
        for path in documents(place.mode, ours)
    ]
    if created:
        lines.append("a new control/ is halted: when `check` finds nothing wrong, say resume")
    return 0, lines


async def check(place: Place) -> tuple[int, list[str]]:
    """A line for everything that is wrong or worth knowing, problems first."""
    written = await read(place)
    found = everything(written)
    return _code(found), [*_told(found), _summary(place, written, found)]


async def diff(place: Place) -> tuple[int, list[str]]:
    """What is set otherwise than by default, and where."""
    written, seeds = await read(place), strategy_documents(specs())
    lines = in_force(written)
    for path, data in written.documents.items():
        if path.startswith("strategies/"):
            lines += _differing(path, data, seeds.get(path, {}))
    wrong = [one for one in everything(written) if one.is_problem]
    return _code(wrong), [*_told(wrong), *(lines or ["everything is as by default"])]


async def diff_file(place: Place, file: Path, path: str) -> tuple[int, list[str]]:
    """What would change if the file took the place of the document, and whether it may."""
    data, written = _read_json(file), await read(place)
    if path.startswith(("config/", "control/")) and path.partition("/")[2] in {*Mode} - {
        place.mode
    }:
        raise Unusable(f"{path} is not read in {place.mode}; say --mode {path.partition('/')[2]}")
    after = with_document(written, path, data)
    known = everything(written)
    found = [one for one in everything(after) if one.document == path or one not in known]
    wrong = [one for one in found if one.is_problem]
    if any(one.document == path for one in wrong):
        return 1, [*_told(wrong), "nothing of it could be used; mend the file first"]
    try:
        lines = changes(written, path, data)
    except ValueError as error:
        raise Unusable(str(error)) from error
    return _code(wrong), [*_told(wrong), *(lines or ["it would change nothing"])]


async def read(place: Place) -> Written:
    """All documents of people's, and which strategies have a function."""
    found = await asyncio.gather(*map(place.store.list, COLLECTIONS))
    together = {path: data for one in found for path, data in one.items()}
    return Written(place.mode, together, frozenset(STRATEGIES))


def everything(written: Written) -> list[Remark]:
    """What there is to say, problems first."""
    found = (*remarks(written), *against_files(written))
    return sorted(found, key=lambda one: not one.is_problem)


def against_files(written: Written) -> list[Remark]:
    """What the strategies' documents say, against their files; unreadable ones are told already."""
    found, read = [], specs()
    for name in STRATEGIES:
        path = path_of(StrategyDocument, strategy=name)
        try:
            document = from_document(StrategyDocument, written.documents[path])
        except (Invalid, KeyError):
            continue
        found += differences(name, document, read[name])
        try:
            from_document(load(name).Parameters, document.parameters)
        except Invalid as error:  # its function would answer with it, as `error`
            found.append(Remark(path, f"parameters: {error}", True))
    return found


def _differing(path: str, data: Mapping[str, Any], seed: Mapping[str, Any]) -> list[str]:
    try:
        return differing(path, data, seed)
    except Invalid:
        return []  # told as a problem


def _read_json(file: Path) -> dict[str, Any]:
    """The file's object. Raises `Unusable`, also where a name stands twice."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, ValueError) as error:
        raise Unusable(f"{file}: {error}") from error
    if not isinstance(found, dict):
        raise Unusable(f"{file}: must be a JSON object, with a document's fields")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands there twice")
    return dict(pairs)


def _told(found: Sequence[Remark]) -> list[str]:
    return [f"{'problem' if one.is_problem else 'note   '}  {one}" for one in found]


def _summary(place: Place, written: Written, found: Sequence[Remark]) -> str:
    problems = sum(one.is_problem for one in found)
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST", "")
    where = f" on the emulator at {emulator}" if emulator else ""
    return (
        f"{place.mode} of {place.project}{where}: {len(written.documents)} documents, "
        f"problems: {problems}, notes: {len(found) - problems}"
    )


def _code(found: Sequence[Remark]) -> int:
    return 1 if any(one.is_problem for one in found) else 0


async def _done(options: argparse.Namespace, open_store: OpenStore) -> tuple[int, list[str]]:
    store = open_store(options.project)
    place = Place(store, Mode(options.mode), options.project)
    try:
        if options.action == "diff" and options.file:
            return await diff_file(place, options.file, options.document)
        return await {"init": init, "check": check, "diff": diff}[options.action](place)
    finally:
        await store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.config",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    says = {
        "init": "create the documents that are absent; touch no other",
        "check": "say in a sentence each what is wrong with what is set",
        "diff": "say what differs from the defaults and where it is set, or what a file would do",
    }
    for action, what in says.items():
        one = actions.add_parser(action, help=what, description=what)
        one.add_argument("--mode", default=os.environ.get("MODE", ""), help="paper or live [MODE]")
        project = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
        one.add_argument("--project", default=project, help="[GOOGLE_CLOUD_PROJECT]")
        if action == "diff":
            _add_file(one)
    return parser


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, help="a document as JSON; it is not written")
    parser.add_argument("document", nargs="?", default="", help="which one, such as config/paper")


if __name__ == "__main__":
    sys.exit(main())
