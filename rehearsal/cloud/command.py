"""Simulated Command: that a command would have run is written down, nothing runs.

Some steps are done for real: data folders on the rehearsal's own disks, without which no container starts, and with
real data the steps of the databases.

The cloud's file lists the commands and their last runs by operation and host. The text of a command, its standard input
and its environment are never written there, since any of them may hold a secret; they are in Pulumi's state.
"""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from . import data_steps, folders
from .resource import Fault, Provider, Resource, shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import Data, Store
    from .wire import Props

_RUNS_KEPT = 200
_CONNECTION = (
    "host agentSocketPath dialErrorLimit hostKey password perDialTimeout port privateKey privateKeyPassword user"
)


class LocalCommand(Resource):
    """A command on the machine that runs Pulumi."""

    type_name = "command:local:Command"
    inputs = shape(
        "addPreviousOutputInEnv archivePaths assetPaths create delete dir environment interpreter logging stdin"
        " triggers update"
    )
    computed = ("stdout", "stderr")
    replaces = frozenset({"triggers"})

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Note that ``create`` would run."""
        said = _do(store, inputs)
        command_id = f"command{secrets.token_hex(4)}"
        with store.change() as data:
            data["command"]["commands"][command_id] = {"type": self.type_name, "host": _host(inputs)}
            _note(data, command_id, "create", inputs)
        return command_id, {"stdout": said, "stderr": ""}

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Give back the state: the real provider does not look either."""
        return state or None

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Note that ``update`` would run, or ``create`` where there is no ``update``."""
        said = _do(store, inputs)
        with store.change() as data:
            _note(data, resource_id, "update" if "update" in inputs else "create", inputs)
        return {"stdout": said, "stderr": ""}

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Note that ``delete`` would run."""
        with store.change() as data:
            _note(data, resource_id, "delete", state)
            data["command"]["commands"].pop(resource_id, None)


class RemoteCommand(LocalCommand):
    """A command on another machine, over SSH."""

    type_name = "command:remote:Command"
    inputs = shape(
        "addPreviousOutputInEnv create delete environment logging stdin triggers update",
        connection=shape(_CONNECTION, proxy=shape(_CONNECTION)),
    )
    required = ("connection",)
    secrets = ("connection",)

    def check(self, inputs: Props) -> Iterator[Fault]:
        """Yield a connection that leads nowhere."""
        connection = inputs.get("connection")
        if isinstance(connection, dict) and not connection.get("host"):
            yield Fault("connection.host", "this property is required")


def _do(store: Store, inputs: Props) -> str:
    """What of a command is done; returns what it says."""
    folders.make(store.folder, inputs)
    return data_steps.run(inputs) if store.real_data else ""


def _host(inputs: Props) -> str:
    return str(inputs["connection"]["host"]) if "connection" in inputs else "localhost"


def _note(data: Data, command_id: str, operation: str, inputs: Props) -> None:
    if operation in inputs:
        runs = data["command"]["runs"]
        runs.append({"id": command_id, "operation": operation, "host": _host(inputs)})
        del runs[:-_RUNS_KEPT]


COMMAND = Provider(name="command", resources=(LocalCommand(), RemoteCommand()))
