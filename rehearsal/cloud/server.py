"""Speak Pulumi's provider protocol for a simulated provider.

Generic over resource types: everything a type knows of itself is in its `Resource`. The engine attaches to a running
server (``PULUMI_DEBUG_PROVIDERS``), several times if a program uses several configurations of one provider; all of them
share one cloud.
"""
# ruff: noqa: N802, ARG002  (the protocol names the methods and their arguments)

from __future__ import annotations

import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from . import wire
from .resource import Provider, Refusal, Resource
from .store import StateError, Store

if TYPE_CHECKING:
    from collections.abc import Callable

_Q = TypeVar("_Q")
_A = TypeVar("_A")

_LOG = logging.getLogger(__name__)
_WORKERS = 8
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a port that is taken is an error, never shared
]


def _type_of(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name_of(urn: str) -> str:
    return urn.split("::", 3)[3]


def _refusing(method: Callable[[Servicer, _Q, grpc.ServicerContext], _A]) -> Callable[..., _A]:
    """Turn a refusal into the error the engine shows, and note it in the log."""

    @wraps(method)
    def answer(self: Servicer, request: _Q, context: grpc.ServicerContext) -> _A:
        try:
            return method(self, request, context)
        except (Refusal, StateError) as refusal:
            _LOG.warning("refused %s %s: %s", method.__name__, getattr(request, "urn", ""), refusal)
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))

    return answer


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One simulated provider as the engine sees it."""

    def __init__(self, provider: Provider, store: Store) -> None:
        self._provider = provider
        self._store = store

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Say what is understood: secrets yes, resources and outputs as plain values."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> Empty:
        """Accept an engine; nothing is ever asked back."""
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        """Have nothing to cancel: every operation ends at once."""
        return Empty()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Give the SDK package's own version, or the engine warns."""
        return plugin_pb2.PluginInfo(version=version(f"pulumi-{self._provider.name}"))

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Give name and version; nothing in a Python program asks for more."""
        about = {"name": self._provider.name, "version": version(f"pulumi-{self._provider.name}")}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(about))

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Take the configuration as it is."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Report a changed configuration; it never replaces a resource."""
        return _difference(request, Resource())

    @_refusing
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Refuse a configuration that the real provider could not work with."""
        self._provider.configure(wire.plain(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Validate inputs against the type and give a missing name."""
        try:
            resource = self._provider.resource(_type_of(request.urn))
        except Refusal as refusal:
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(refusal))])
        inputs, olds = wire.plain(request.news), wire.plain(request.olds)
        if resource.autonamed and "name" not in inputs:
            inputs["name"] = olds.get("name") or _made_up_name(request)
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in resource.faults(inputs)]
        return provider_pb2.CheckResponse(inputs=wire.encode(inputs, like=[request.news]), failures=failures)

    @_refusing
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare inputs property by property; secrets by their value."""
        return _difference(request, self._provider.resource(_type_of(request.urn)))

    @_refusing
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Make a resource, or say at a preview what is not known yet."""
        inputs = wire.plain(request.properties)
        resource = self._provider.resource(_type_of(request.urn))
        if request.preview:
            made, outputs = "", dict.fromkeys(resource.computed, wire.UNKNOWN)
        else:
            made, outputs = resource.create(self._store, inputs)
            _LOG.info("created %s", request.urn)
        properties = wire.encode({**outputs, **inputs}, like=[request.properties], secret=resource.secrets)
        return provider_pb2.CreateResponse(id=made, properties=properties)

    @_refusing
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Tell what a resource is now; no id when it is gone."""
        inputs, state = wire.plain(request.inputs), wire.plain(request.properties)
        resource = self._provider.resource(_type_of(request.urn))
        resource_id = request.id if state else resource.import_id(request.id)
        now = resource.read(self._store, resource_id, inputs, state)
        if now is None:
            return provider_pb2.ReadResponse()
        # An import has no inputs yet: all that is known becomes input. Later only what the program gave is compared.
        fresh = {name: now[name] for name in (inputs if state else resource.inputs) if name in now}
        secret = [*resource.secrets, *wire.secret_keys(request.inputs)]
        return provider_pb2.ReadResponse(
            id=resource_id,
            properties=wire.encode(now, like=[request.properties], secret=secret),
            inputs=wire.encode(fresh, like=[request.inputs], secret=set(secret).intersection(fresh)),
        )

    @_refusing
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change a resource in place."""
        inputs, state = wire.plain(request.news), wire.plain(request.olds)
        resource = self._provider.resource(_type_of(request.urn))
        if request.preview:
            outputs = {name: value for name, value in state.items() if name not in resource.inputs}
        else:
            outputs = resource.update(self._store, request.id, inputs, state)
            _LOG.info("updated %s", request.urn)
        properties = wire.encode({**outputs, **inputs}, like=[request.news, request.olds], secret=resource.secrets)
        return provider_pb2.UpdateResponse(properties=properties)

    @_refusing
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        """Remove a resource."""
        resource = self._provider.resource(_type_of(request.urn))
        resource.delete(self._store, request.id, wire.plain(request.properties))
        _LOG.info("deleted %s", request.urn)
        return Empty()

    @_refusing
    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        """Answer a function; what depends on an unknown argument is not known either."""
        arguments = wire.plain(request.args)
        if wire.is_unknown(arguments):
            return provider_pb2.InvokeResponse()
        function = self._provider.function(request.tok)
        answer = function.call(self._store, arguments)
        encoded = wire.encode(answer, secret=function.secrets)
        return provider_pb2.InvokeResponse(**{"return": encoded})  # type: ignore[arg-type]  # the field is a keyword


def _made_up_name(request: provider_pb2.CheckRequest) -> str:
    if request.HasField("autonaming") and request.autonaming.proposed_name:
        return request.autonaming.proposed_name
    # The seed is the engine's, so that the preview and the update that follows it agree on the name.
    digits = random.Random(request.randomSeed or None).randbytes(4).hex()  # noqa: S311 - a name, not a secret
    return f"{_name_of(request.urn)}-{digits[:7]}"


def _difference(request: provider_pb2.DiffRequest, resource: Resource) -> provider_pb2.DiffResponse:
    olds, news = wire.plain(request.old_inputs), wire.plain(request.news)
    changed = [
        name
        for name in sorted({*olds, *news})
        if not _same(olds.get(name), news.get(name), any_order=name in resource.unordered)
    ]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=changed,
        replaces=[name for name in changed if name in resource.replaces],
        deleteBeforeReplace=resource.delete_before_replace,
    )


def _same(old: object, new: object, *, any_order: bool) -> bool:
    if wire.is_unknown(new):
        return False
    if any_order and isinstance(old, list) and isinstance(new, list):
        return sorted(map(_sortable, old)) == sorted(map(_sortable, new))
    return old == new


def _sortable(item: object) -> str:
    return json.dumps(item, sort_keys=True)


def serve(provider: Provider, store: Store) -> tuple[grpc.Server, int]:
    """Start a provider on a loopback port of its own; return the server and the port."""
    server = grpc.server(ThreadPoolExecutor(_WORKERS, thread_name_prefix=provider.name), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, store), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
