"""Found: the containers of a host, as its Docker daemon describes them; values of their environment are never kept."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docker.errors import ImageNotFound

OWN_LABEL = "kitestacks.installation"
ASIDE = ".before"
"""Ends the name of a container that was set aside."""


@dataclass(frozen=True, kw_only=True)
class FoundMount:
    """Something mounted in a container that was made by hand.

    Attributes:
        kind: `bind`, `volume` or `tmpfs`.
        source: The folder on the host.
        target: The path in the container.
        writable: The container can write there.
        volume: The volume's name.
    """

    kind: str
    source: str
    target: str
    writable: bool = True
    volume: str = ""


@dataclass(frozen=True, kw_only=True)
class FoundContainer:
    """One container of the daemon.

    Attributes:
        name: Its name.
        image: The reference that it was made from.
        digests: The digests under which its image was pulled, as `<name>@sha256:...`.
        variables: Names of its environment variables; for one that names a secret's file, its path.
        mounts: What is mounted in it.
        written: Paths that it wrote inside itself, past every mount.
        public: Ports that it takes on all addresses.
        ports: All ports that it takes on the host.
        labels: Its labels.
        networks: The networks that it is on.
        restart: The name of its restart policy.
        retries: How often that starts it again, where it is limited.
        state: `running`, `exited`, ...
        health: `healthy`, `starting`, ...; empty without a check.
        exit_code: How it ended last.
        vanishes: It is deleted when it stops.
    """

    name: str
    image: str
    digests: tuple[str, ...] = ()
    variables: dict[str, str]
    mounts: tuple[FoundMount, ...] = ()
    written: tuple[str, ...] = ()
    public: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    labels: dict[str, str]
    networks: tuple[str, ...] = ()
    restart: str = "no"
    retries: int = 0
    state: str = "running"
    health: str = ""
    exit_code: int = 0
    vanishes: bool = False

    @property
    def ours(self) -> bool:
        """Whether the program made it."""
        return OWN_LABEL in self.labels


def look(client: Any) -> dict[str, FoundContainer]:  # noqa: ANN401 - the SDK has no types
    """All containers of the daemon, by name."""
    found = (inspect(client, each["Id"]) for each in client.api.containers(all=True))
    return {each.name: each for each in found}


def inspect(client: Any, container: str) -> FoundContainer:  # noqa: ANN401
    """One container of the daemon."""
    raw = client.api.inspect_container(container)
    config, host, state = raw["Config"], raw["HostConfig"], raw["State"]
    ports = [
        (int(binding["HostPort"]), binding.get("HostIp", ""))
        for bindings in (host.get("PortBindings") or {}).values()
        for binding in bindings or ()
        if binding.get("HostPort")
    ]
    return FoundContainer(
        name=raw["Name"].lstrip("/"),
        image=config["Image"],
        digests=_digests(client, raw["Image"]),
        variables=dict(_variable(line) for line in config.get("Env") or ()),
        mounts=tuple(_mount(each) for each in raw.get("Mounts") or ()),
        written=tuple(each["Path"] for each in client.api.diff(container) or ()),
        public=tuple(port for port, address in ports if address in ("", "0.0.0.0", "::")),  # noqa: S104 - looked for
        ports=tuple(port for port, _ in ports),
        labels=config.get("Labels") or {},
        networks=tuple(raw["NetworkSettings"].get("Networks") or ()),
        restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
        retries=(host.get("RestartPolicy") or {}).get("MaximumRetryCount") or 0,
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state.get("ExitCode", 0),
        vanishes=bool(host.get("AutoRemove")),
    )


def _digests(client: Any, image: str) -> tuple[str, ...]:  # noqa: ANN401
    try:
        return tuple(client.api.inspect_image(image).get("RepoDigests") or ())
    except ImageNotFound:  # somebody removed it by force; its containers run on
        return ()


def _variable(line: str) -> tuple[str, str]:
    """Name of a variable, and its value where that is no secret but the path of a file that holds one."""
    name, _, value = line.partition("=")
    is_path = name.endswith("_FILE") or name.startswith("FILE__")
    return name, value if is_path else ""


def _mount(raw: dict[str, Any]) -> FoundMount:
    return FoundMount(
        kind=raw["Type"],
        source=raw.get("Source", ""),
        target=raw["Destination"],
        writable=raw.get("RW", True),
        volume=raw.get("Name", "") if raw["Type"] == "volume" else "",
    )
