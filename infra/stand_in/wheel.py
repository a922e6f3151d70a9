"""The schema of Terraform's Google provider, out of a wheel that holds it in another form.

The provider itself cannot be had without its registry. CDK Terrain publishes Python classes made
from its schema, and beside them the model that they are made from (jsii): for each resource its
arguments, which of them must be there, their types, nested blocks and how often each may come.
Not in it: conflicts between arguments, and which values one takes; our own tests say those.

    python -m infra.stand_in.wheel WHEEL schema.json
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

type Model = Mapping[str, Any]
"""jsii's types by their full names, such as `@cdktn/provider-google.pubsubTopic.PubsubTopic`."""

type Block = dict[str, Any]
"""`attributes`: name -> [type, flags], of r(equired), o(ptional), c(omputed). `blocks`: name ->
[block, nesting, least, most]; most 0 is without bound."""

ARGUMENT: Final = re.compile(r"docs(?:/(?:resources|data-sources)/\w+)?#(\w+)")
CLASS: Final = re.compile(r"Represents a \{@link \S+ (\w+)\}")
RELEASE: Final = re.compile(r"providers/(\w+/[a-z-]+)/([\d.]+)")

OF_TERRAFORM: Final = (
    "connection", "count", "dependsOn", "forEach", "lifecycle", "provider", "provisioners",
)  # fmt: skip
"""Arguments of every resource, which Terraform handles itself."""

FILLED_IN: Final = ("id", "project", "region", "location", "zone", "etag")
"""Optional arguments that the provider fills in, so that they can be read as well."""

PRIMITIVES: Final = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
CYCLE_MAX: Final = 12


def model_of(wheel: Path) -> Model:
    """The types of the model in a wheel. Raises `KeyError` where it holds none."""
    with zipfile.ZipFile(wheel) as archive:
        name = next((name for name in archive.namelist() if name.endswith(".jsii.tgz")), None)
        if name is None:
            raise KeyError(f"{wheel.name} holds no .jsii.tgz")
        packed = io.BytesIO(archive.read(name))
    with tarfile.open(fileobj=packed) as inner:
        found = inner.extractfile("package/.jsii")
        assert found is not None
        types: Model = json.loads(found.read())["types"]
        return types


def schema_of(model: Model) -> dict[str, Any]:
    """`source` and `version` of the provider, its own block, its resources and data sources."""
    schema: dict[str, Any] = {"resources": {}, "data_sources": {}}
    for name, kind in model.items():
        base = kind.get("base") or ""
        said = json.dumps(kind.get("docs", {}))
        if base.endswith("TerraformProvider") and (release := RELEASE.search(said)):
            schema["source"], schema["version"] = release.groups()
            schema["provider"] = _provider(model, name)
        elif base.endswith("TerraformResource") and (found := CLASS.search(said)):
            schema["resources"][found.group(1)] = _resource(model, name)
        elif base.endswith("TerraformDataSource") and (found := CLASS.search(said)):
            schema["data_sources"][found.group(1)] = _resource(model, name)
    return schema


def _provider(model: Model, name: str) -> Block:
    block = _resource(model, name)
    block["attributes"].pop("id", None)
    for attribute in block["attributes"].values():
        attribute[1] = "o"
    return block


def _resource(model: Model, name: str) -> Block:
    """The arguments are those of its Config, what can be read are the getters of the class."""
    kind = model[name]
    parameters = kind["initializer"].get("parameters", [])
    config = next((_leaf(p["type"])[1] for p in parameters if p["name"] == "config"), None)
    block = _struct(model, config, ()) if config else {"attributes": {}, "blocks": {}}
    attributes = block["attributes"]
    for one in kind.get("properties", []):
        read = _snake(one["name"])
        is_known = read in attributes or read in block["blocks"]
        if not (one.get("static") or one["name"].endswith("Input") or is_known):
            attributes[read] = [_read_type(model, one["type"], ()), "c"]
    for filled in FILLED_IN:
        if attributes.get(filled, ["", ""])[1] == "o":
            attributes[filled][1] = "oc"
    attributes.setdefault("id", ["string", "oc"])
    return block


def _struct(model: Model, name: str, above: tuple[str, ...]) -> Block:
    block: Block = {"attributes": {}, "blocks": {}}
    for one in _arguments(model, name, above):
        argument, is_needed = _argument(one), not one.get("optional")
        collection, leaf = _leaf(one["type"])
        if not _is_struct(model, leaf):
            flags = "r" if is_needed else "o"
            block["attributes"][argument] = [_type(collection, leaf), flags]
        elif leaf not in above and len(above) <= CYCLE_MAX:  # a type may hold itself
            nested = _struct(model, leaf, (*above, name))
            is_single = argument == "timeouts"
            most = 0 if is_single or collection == "list" else 1
            nesting = "single" if is_single else "list"
            block["blocks"][argument] = [nested, nesting, int(is_needed), most]
    return block


def _arguments(model: Model, name: str, above: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for one in model[name].get("properties", []):
        if above or one["name"] not in OF_TERRAFORM:
            yield one


def _argument(one: Mapping[str, Any]) -> str:
    """The name in Terraform: the one in the link to its documentation, where there is one."""
    found = ARGUMENT.search(" ".join(map(str, one.get("docs", {}).values())))
    return found.group(1) if found else _snake(one["name"])


def _leaf(kind: Mapping[str, Any]) -> tuple[str, str]:
    """(collection, what is in it): `list`, `map` or nothing; a primitive or a type's name."""
    if "union" in kind:
        leaves = [_leaf(one) for one in kind["union"]["types"]]
        return next((one for one in leaves if not one[1].endswith(".IResolvable")), leaves[0])
    if "collection" in kind:
        _, leaf = _leaf(kind["collection"]["elementtype"])
        return ("map" if kind["collection"]["kind"] == "map" else "list"), leaf
    if "fqn" in kind:
        return "", kind["fqn"]
    return "", PRIMITIVES.get(kind["primitive"], "dynamic")


def _is_struct(model: Model, name: str) -> bool:
    kind = model.get(name, {})
    is_ours = not name.startswith(("cdktn.", "cdktf."))
    return is_ours and kind.get("kind") == "interface" and bool(kind.get("datatype"))


MAPS: Final = {"StringMap": "string", "BooleanMap": "bool", "NumberMap": "number"}


def _type(collection: str, leaf: str) -> Any:
    """In the JSON form of Terraform's types, such as `["list", "string"]`."""
    for ending, value in MAPS.items():
        if leaf.endswith(ending):
            return ["map", value]
    if leaf.endswith("MapList"):
        return ["list", ["map", "string"]]
    if leaf.endswith(".IResolvable"):
        leaf = "bool"
    elif leaf not in PRIMITIVES.values():
        leaf = "dynamic"
    if collection == "list" and leaf == "dynamic":
        return "dynamic"
    return [collection, leaf] if collection else leaf


def _read_type(model: Model, kind: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    collection, leaf = _leaf(kind)
    if leaf in model and leaf.endswith(("List", "OutputReference")):
        return _output(model, leaf, above)
    return _type(collection, leaf)


def _output(model: Model, name: str, above: tuple[str, ...]) -> Any:
    """The type of what can only be read: an object of all its getters, or a list of such."""
    if name not in model or name in above:
        return "dynamic"
    if name.endswith("List"):
        inner = f"{name.removesuffix('List')}OutputReference"
        return ["list", _output(model, inner, (*above, name))] if inner in model else "dynamic"
    return [
        "object",
        {
            _snake(one["name"]): _read_type(model, one["type"], (*above, name))
            for one in model[name].get("properties", [])
            if not one["name"].endswith("Input")
            and one["name"] not in ("internalValue", "fqn")
            and not one.get("static")
        },
    ]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def main(arguments: list[str]) -> int:
    """`python -m infra.stand_in.wheel WHEEL FILE`."""
    if len(arguments) != 2:
        print("usage: python -m infra.stand_in.wheel WHEEL FILE", file=sys.stderr)
        return 2
    schema = schema_of(model_of(Path(arguments[0])))
    Path(arguments[1]).write_text(json.dumps(schema, sort_keys=True), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
