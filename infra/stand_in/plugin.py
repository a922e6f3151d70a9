"""A Terraform provider that knows the schema of Google's and can do nothing else.

Terraform starts it as it starts any provider. It answers what the schema is, calls every value
valid, and leaves all other questions unimplemented: with it `init`, `validate` and `test` (with
`mock_provider`) run offline, and a plan or an apply against a cloud is impossible.

Speaks Terraform's plugin protocol 6. Of its protobuf messages so little is needed that it is
written out here; the numbers are the field numbers of `tfplugin6.proto`.
"""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

SCHEMA: Final = "STAND_IN_SCHEMA"
"""The environment variable that names the file which `infra.stand_in.wheel` wrote."""

HANDSHAKE: Final = "1|6|unix|{socket}|grpc|"
SECONDS_MAX: Final = 600
"""A plugin that Terraform forgot ends by itself."""

NESTED_SINGLE, NESTED_LIST = 1, 2


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    written = b""
    while number > 0x7F:
        written, number = written + bytes([number & 0x7F | 0x80]), number >> 7
    return written + bytes([number])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a message; a number of 0 is left out, as protobuf has it."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(name: str, kind: object, flags: str) -> bytes:
    """`Schema.Attribute`."""
    means = {4: "r", 5: "o", 6: "c"}
    said = b"".join(field(number, int(flag in flags)) for number, flag in means.items())
    return field(1, name) + field(2, json.dumps(kind)) + said


def nested(name: str, inner: dict[str, Any], nesting: str, least: int, most: int) -> bytes:
    """`Schema.NestedBlock`."""
    if nesting == "single":
        return field(1, name) + field(2, block(inner)) + field(3, NESTED_SINGLE)
    often = field(3, NESTED_LIST) + field(4, least) + field(5, most)
    return field(1, name) + field(2, block(inner)) + often


def block(said: dict[str, Any]) -> bytes:
    """`Schema.Block`."""
    attributes = (field(2, attribute(name, *one)) for name, one in said["attributes"].items())
    blocks = (field(3, nested(name, *one)) for name, one in said["blocks"].items())
    return b"".join((*attributes, *blocks))


def answer(schema: dict[str, Any]) -> bytes:
    """`GetProviderSchema.Response`."""

    def all_of(number: int, named: dict[str, dict[str, Any]]) -> Iterable[bytes]:
        for name, said in named.items():
            yield field(number, field(1, name) + field(2, field(2, block(said))))

    provider = field(1, field(2, block(schema["provider"])))
    return b"".join((provider, *all_of(2, schema["resources"]), *all_of(3, schema["data_sources"])))


class Provider(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """The service, whatever its exact name in this version of the protocol."""

    def __init__(self, schema: bytes) -> None:
        self.ended = threading.Event()
        self._schema = schema

    def service(self, details: Any) -> Any:
        """What answers a call; None is UNIMPLEMENTED."""
        method = details.method.rpartition("/")[2]
        if method == "GetProviderSchema":
            return _answering(lambda: self._schema)
        if method == "Shutdown":
            return _answering(self._shut_down)
        if method.startswith("Validate") or method in ("ConfigureProvider", "StopProvider"):
            return _answering(lambda: b"")
        return None

    def _shut_down(self) -> bytes:
        self.ended.set()
        return b""


def _answering(reply: Callable[[], bytes]) -> Any:
    return grpc.unary_unary_rpc_method_handler(lambda request, context: reply())


def main() -> int:
    """Serve until Terraform says that it is done."""
    schema = json.loads(Path(os.environ[SCHEMA]).read_text("utf-8"))
    provider = Provider(answer(schema))
    unbounded = [("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(4), handlers=[provider], options=unbounded)
    with tempfile.TemporaryDirectory(prefix="stand-in") as folder:
        socket = Path(folder) / "provider.sock"
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        print(HANDSHAKE.format(socket=socket), flush=True)
        provider.ended.wait(SECONDS_MAX)
        server.stop(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
