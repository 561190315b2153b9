"""A stand-in for the engine: speaks the provider protocol to simulated providers over loopback, as the engine would."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from rehearsal.cloud.server import serve
from rehearsal.cloud.store import Store
from rehearsal.cloud.wire import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rehearsal.cloud.resource import Provider

ACCOUNT = "0123456789abcdef0123456789abcdef"
ZONE = "abcdef0123456789abcdef0123456789"
DOMAIN = "kitestacks.com"
CONNECT = "127.0.0.1:7844"

Props = dict[str, Any]


class Refused(Exception):  # noqa: N818 - the word the project uses for it
    """The provider answered with an error."""


def secret(value: object) -> Props:
    """Wrap a value as the engine wraps a secret."""
    return {_special_sig_key: _special_secret_sig, "value": value}


def struct(values: Props) -> Struct:
    written = Struct()
    written.update(values)
    return written


def as_sent(properties: Struct) -> Props:
    """Give properties with their wrappers, as they crossed the wire."""
    sent: Props = MessageToDict(properties)
    return sent


def urn(type_name: str) -> str:
    return f"urn:pulumi:dev::trial::kitestacks:index:Edge${type_name}::thing"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise Refused(cast("grpc.Call", error).details()) from None


class Client:
    """One provider, started on a port of its own."""

    def __init__(self, provider: Provider, store: Store) -> None:
        self.store = store
        self._server, port = serve(provider, store)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._server.stop(None).wait()

    def version(self) -> str:
        return str(self.stub.GetPluginInfo(Empty()).version)

    def configure(self, config: Props) -> None:
        with _errors():
            self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(config)))

    def check(self, type_name: str, inputs: Props, olds: Props | None = None) -> dict[str, str]:
        """Give the failures: reason by property."""
        return {failure.property: failure.reason for failure in self._check(type_name, inputs, olds).failures}

    def checked(self, type_name: str, inputs: Props, olds: Props | None = None) -> Struct:
        return self._check(type_name, inputs, olds).inputs

    def _check(self, type_name: str, inputs: Props, olds: Props | None) -> provider_pb2.CheckResponse:
        request = provider_pb2.CheckRequest(
            urn=urn(type_name), news=struct(inputs), olds=struct(olds or {}), randomSeed=b"seed"
        )
        return cast("provider_pb2.CheckResponse", self.stub.Check(request))

    def create_raw(self, type_name: str, inputs: Props, *, preview: bool = False) -> tuple[str, Struct]:
        with _errors():
            request = provider_pb2.CreateRequest(urn=urn(type_name), properties=struct(inputs), preview=preview)
            made = self.stub.Create(request)
            return made.id, made.properties

    def create(self, type_name: str, inputs: Props) -> tuple[str, Props]:
        """Check as the engine does, then create."""
        assert self.check(type_name, inputs) == {}
        made, properties = self.create_raw(type_name, inputs)
        return made, plain(properties)

    def read_raw(self, type_name: str, resource_id: str, inputs: Props, state: Props) -> provider_pb2.ReadResponse:
        with _errors():
            request = provider_pb2.ReadRequest(
                urn=urn(type_name), id=resource_id, inputs=struct(inputs), properties=struct(state)
            )
            return cast("provider_pb2.ReadResponse", self.stub.Read(request))

    def read(self, type_name: str, resource_id: str, inputs: Props, state: Props) -> tuple[str, Props, Props]:
        """Give id, inputs and outputs."""
        found = self.read_raw(type_name, resource_id, inputs, state)
        return found.id, plain(found.inputs), plain(found.properties)

    def update(self, type_name: str, resource_id: str, olds: Props, news: Props, *, preview: bool = False) -> Props:
        with _errors():
            request = provider_pb2.UpdateRequest(
                urn=urn(type_name), id=resource_id, olds=struct(olds), news=struct(news), preview=preview
            )
            return plain(self.stub.Update(request).properties)

    def delete(self, type_name: str, resource_id: str, state: Props | None = None) -> None:
        with _errors():
            request = provider_pb2.DeleteRequest(urn=urn(type_name), id=resource_id, properties=struct(state or {}))
            self.stub.Delete(request)

    def diff(self, type_name: str, old_inputs: Props, news: Props) -> tuple[list[str], list[str]]:
        """Give what changed and what of it replaces."""
        request = provider_pb2.DiffRequest(
            urn=urn(type_name), id="x", old_inputs=struct(old_inputs), olds=struct(old_inputs), news=struct(news)
        )
        with _errors():
            answer = self.stub.Diff(request)
        assert (answer.changes == provider_pb2.DiffResponse.DIFF_SOME) == bool(answer.diffs)
        return list(answer.diffs), list(answer.replaces)

    def invoke(self, function: str, arguments: Props) -> Struct:
        with _errors():
            answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=function, args=struct(arguments)))
        return cast("Struct", getattr(answer, "return"))


@contextmanager
def world(folder: Path, provider: Provider) -> Iterator[Client]:
    """Start a provider over a fresh cloud with one account and one zone."""
    store = Store(folder)
    store.seed(ACCOUNT, {ZONE: DOMAIN}, CONNECT)
    with Client(provider, store) as client:
        yield client
