"""Runs the whole program under Pulumi's mocks and keeps every resource that it registers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import grpc
import pulumi
import yaml
from pulumi.runtime import resource as registering
from pulumi.runtime import set_all_config, set_mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.rpc import deserialize_properties
from pulumi.runtime.settings import SETTINGS, reset_options
from pulumi.runtime.stack import run_pulumi_func
from pydantic import ValidationError

from components.services import KNOWN_SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "kitestacks"
ACCOUNT = {
    "kitestacks:cloudflare-account-id": "a" * 32,
    "kitestacks:cloudflare-zone-id": "b" * 32,
    "cloudflare:apiToken": "cf-token-for-tests",
    "tailscale:apiKey": "ts-key-for-tests",
}
"""What no stack file brings along."""
_SECRET_KEYS = {"cloudflare:apiToken", "tailscale:apiKey"}
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - how Pulumi marks a value, not a secret
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105


class _Refusal(grpc.RpcError):
    """How the engine refuses a call."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One registration: its type token, name, inputs with secrets unwrapped, and the paths that were secret."""

    type: str
    name: str
    inputs: dict[str, Any]
    secrets: frozenset[str]
    parent: str
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    error_hooks: tuple[str, ...]
    protect: bool
    secret_outputs: tuple[str, ...]
    dependencies: frozenset[str]


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers like providers would, and is strict where mocks are lenient: doubles and bad tokens fail."""

    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    resources: list[Recorded] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        made = {"result": f"made-{args.name}", "base64": f"{args.name}=="} if args.typ.startswith("random:") else {}
        if args.typ.endswith(":TailnetKey"):
            made = {"key": f"tskey-of-{args.name}"}
        return f"{args.name}-id", {**args.inputs, **made}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        if args.token.endswith(":getZeroTrustTunnelCloudflaredToken"):
            return {**args.args, "token": f"token-of-{args.args['tunnelId']}"}
        if args.token == "pulumi:pulumi:readStackOutputs":  # noqa: S105 - a function's name
            name = args.args["name"].rpartition("/")[2]
            if name not in self.references:
                raise _Refusal(f'unknown stack "{args.args["name"]}"')
            return {"name": args.args["name"], "outputs": dict(self.references[name]), "secretOutputNames": []}
        msg = f"no answer for the call {args.token}"
        raise AssertionError(msg)

    def record(self, request: Any) -> None:  # noqa: ANN401 - a protobuf message without types
        """Keeps a registration as it reached the engine, options and all."""
        assert request.type.count(":") == 2, f"bad type token {request.type!r}"
        assert (request.type, request.name) not in {(known.type, known.name) for known in self.resources}, request.name
        secrets: set[str] = set()
        inputs = _unwrap(deserialize_properties(request.object), "", secrets)
        self.resources.append(
            Recorded(
                type=request.type,
                name=request.name,
                inputs=inputs,
                secrets=frozenset(secrets),
                parent=request.parent,
                delete_before_replace=request.deleteBeforeReplace,
                replace_on_changes=tuple(request.replaceOnChanges),
                error_hooks=tuple(request.hooks.on_error),
                protect=request.protect,
                secret_outputs=tuple(request.additionalSecretOutputs),
                dependencies=frozenset(urn.rpartition("::")[2] for urn in request.dependencies),
            )
        )

    def of_type(self, suffix: str) -> dict[str, Recorded]:
        """The recorded resources whose token ends in `suffix`, by name."""
        return {known.name: known for known in self.resources if known.type.endswith(f":{suffix}")}


class _Monitor(MockMonitor):
    """The mock engine, which lets the recorder see each whole request."""

    mocks: Recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
        if request.type != "pulumi:pulumi:Stack":
            self.mocks.record(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Run:
    """What a run of the program registered and put out."""

    stack: str
    recorder: Recorder
    urns: list[str]
    outputs: dict[str, Any]

    def containers(self) -> dict[str, Recorded]:
        """Containers by the name that people type, in its order: they are registered in any."""
        found = {known.inputs["name"]: known for known in self.recorder.of_type("Container").values()}
        return dict(sorted(found.items()))


def stack_config(stack: str, root: Path) -> dict[str, str]:
    """A stack file's values as the engine hands them over: structured ones as JSON, with the owner's account."""
    values = yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text())["config"]
    plain = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    is_foundation = "kitestacks:edge" in plain
    account = {key: value for key, value in ACCOUNT.items() if is_foundation or key == "cloudflare:apiToken"}
    return account | _owner_secrets(values) | plain


def _owner_secrets(values: dict[str, Any]) -> dict[str, str]:
    """A value for each secret that only the owner can bring along."""
    blocks = values.get("kitestacks:services") or {}
    models = {name: KNOWN_SERVICES[name].Settings for name in blocks if name in KNOWN_SERVICES}
    names: set[str] = set()
    for name, model in models.items():
        with contextlib.suppress(ValidationError):
            names |= set(model.model_validate(blocks[name]).owner_secrets.values())
    return {f"secret:{name}": f"given-{name}" for name in names}


def load_balanced(config: Mapping[str, str]) -> dict[str, str]:
    """A foundation's configuration in the paid failover mode."""
    edge = json.loads(config["kitestacks:edge"]) | {"failover": "load-balancer", "load-balancer": {"plan": "pro"}}
    return {**config, "kitestacks:edge": json.dumps(edge)}


def foundation_outputs(*hosts: str) -> dict[str, Any]:
    """What a deployed foundation puts out for these hosts."""
    names = (*hosts, "shared")
    return {
        "foundation": {
            "account_id": "a" * 32,
            "zone_id": "b" * 32,
            "tunnel_ids": {name: f"{name}-uuid" for name in names},
            "tunnel_tokens": {name: f"token-of-{name}" for name in names},
            "secrets": {key: f"shared-{key}" for key in _shared_secrets()},
        }
    }


def _shared_secrets() -> list[str]:
    return [
        f"{name}.{key}"
        for name, service in KNOWN_SERVICES.items()
        for key in ("client-id", "client-secret", *(key for key, secret in service.secrets.items() if secret.shared))
    ]


def run_program(
    stack: str,
    root: Path = ROOT,
    *,
    config: Mapping[str, str] | None = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
) -> Run:
    """Runs `__main__.py` for a stack whose files lie in `root`.

    Raises:
        ProgramError: what the program refuses.
    """
    given = dict(config) if config is not None else stack_config(stack, root)
    # Pulumi's mock monitor opens an event loop in each worker thread and leaves it open; these are opened to be closed.
    loops: list[asyncio.AbstractEventLoop] = []

    def open_loop() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(ThreadPoolExecutor(initializer=open_loop))
            return runner.run(_run(stack, root, given, Recorder(references=references or {})))
    finally:
        for loop in loops:
            loop.close()


async def _run(stack: str, root: Path, config: dict[str, str], recorder: Recorder) -> Run:
    monitor = _Monitor(recorder)
    outputs: dict[str, Any] = {}
    reset_options()
    set_mocks(recorder, project=PROJECT, stack=stack, preview=False, monitor=monitor, organization="organization")
    SETTINGS.root_directory = str(root)
    set_all_config(config, [key for key in config if key in _SECRET_KEYS or key.startswith("secret:")])
    program = runpy.run_path(str(ROOT / "__main__.py"), run_name="under_test")["main"]

    async def capture() -> None:
        outputs.update(await program())

    # Where each resource was made is for the engine alone to show, and costs a seventh of the run.
    with mock.patch.object(registering, "_get_stack_trace", StackTrace):
        await run_pulumi_func(capture)
    return Run(stack, recorder, sorted(monitor.get_registered_resources()), outputs)


def _unwrap(value: Any, path: str, secrets: set[str]) -> Any:  # noqa: ANN401 - any value of a resource's inputs
    if isinstance(value, dict):
        if value.get(SECRET_MARK) == SECRET:
            secrets.add(path)
            return _unwrap(value["value"], path, secrets)
        return {key: _unwrap(item, f"{path}.{key}".lstrip("."), secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_unwrap(item, f"{path}[{index}]", secrets) for index, item in enumerate(value)]
    return value
