"""Host: one machine with a Docker daemon, and the one place where a container is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.container_logs import explain_failure
from components.types import duration_seconds, mebibytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.settings import HostSettings, StackFile

EDGE_NETWORK = "edge"
"""The network on which connectors find the containers that have a site."""
SSH_OPTIONS = [
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=10"),
    *("-o", "ControlMaster=auto"),
    *("-o", "ControlPath=~/.ssh/kitestacks-%C"),
    *("-o", "ControlPersist=60"),
]
"""One shared connection instead of one per call, which sshd turns away (kreuzwerker/terraform-provider-docker#262)."""

_HOST_PID_OPTS = ("label=disable",)
"""What the daemon adds by itself where a container sees the host's processes; unsaid, each refresh would replace it."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that is put into a container; a changed file replaces the container.

    Attributes:
        content: Its text; may be secret.
        private: Only the container's user may read it.
    """

    content: pulumi.Input[str]
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the host inside a container.

    Attributes:
        source: Path on the host.
        target: Path in the container.
        read_only: The container can't write there.
        propagation: Whether the host's later mounts appear inside (`rslave`), or not (`rprivate`).
    """

    source: str
    target: str
    read_only: bool = False
    propagation: str = "rprivate"


@dataclass(frozen=True, kw_only=True)
class ContainerArgs:
    """What differs from one container to the next; everything that does not is decided in `Host.container`.

    Attributes:
        service: The service it belongs to, for its labels.
        image: The declared, pinned image.
        health: The command of the health check, in exec form; it must exist in the image. Exit status 0 is healthy.
        memory: Limit, for example 256MiB; swap is not added to it.
        command: Arguments after the image's entry point, where the image's own do not fit.
        env: Environment; no secrets, `docker inspect` shows it.
        files: Files by their path in the container; secrets go here.
        mounts: Folders of the host.
        user: User id, where the image's own is not the least. With private files it must be one that the host's own
            /etc/passwd has too, such as 65534 (nobody): the daemon looks there for the owner of what it copies.
        capabilities: What is added back after all are dropped, written CAP_...
        host_network: Lives on the host's own network and sees its processes, instead of the edge network.
        stop_grace: Seconds between asking a container to stop and killing it.
    """

    service: str
    image: str
    health: Sequence[str]
    memory: str
    command: Sequence[pulumi.Input[str]] | None = None
    env: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    user: str | None = None
    capabilities: Sequence[str] = ()
    host_network: bool = False
    stop_grace: int = 30


class Host(pulumi.ComponentResource):
    """One machine of the fleet.

    Creates: the Docker provider of the machine and the edge network.
    Leaves out: Docker itself, Tailscale and the data folders: they are the machine's own.

    Attributes:
        name: The host's name, which is the stack's.
        settings: The `host` block of its stack file.
    """

    def __init__(self, name: str, stack: StackFile, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kitestacks:index:Host", name, None, opts)
        self.name = name
        self.settings: HostSettings = stack.host
        self._stack = stack
        self._provider = docker.Provider(
            f"{name}-docker",
            host=self.settings.docker,
            ssh_opts=SSH_OPTIONS if self.settings.docker.startswith("ssh://") else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._edge_network = docker.Network(
            f"{name}-{EDGE_NETWORK}",
            name=self.physical_name(EDGE_NETWORK, shared_namespace=True),
            driver="bridge",
            labels=[
                docker.NetworkLabelArgs(label=key, value=value) for key, value in self.labels(EDGE_NETWORK).items()
            ],
            opts=pulumi.ResourceOptions(parent=self, provider=self._provider, delete_before_replace=True),
        )
        self._logs = pulumi.ErrorHook(f"{name}-container-logs", explain_failure(name, self.settings.docker))
        self.register_outputs({"endpoint": self.settings.docker})

    def physical_name(self, name: str, *, shared_namespace: bool = False) -> str:
        """What Docker calls a thing of this host: a container's plain name, because people type it.

        Two installations on one machine (a rehearsal beside the real thing) stay apart by a prefix. A network's name
        always has one: `edge` alone would say too little in `docker network ls`.
        """
        installation = self._stack.installation
        if installation != "kitestacks":
            return f"{installation}-{self.name}-{name}"
        return f"{installation}-{name}" if shared_namespace else name

    def labels(self, service: str) -> dict[str, str]:
        """The marks of ownership: by them orphans are found, and nothing else is ever touched."""
        return {
            "kitestacks.installation": self._stack.installation,
            "kitestacks.host": self.name,
            "kitestacks.service": service,
        }

    def container(self, name: str, args: ContainerArgs, parent: pulumi.Resource) -> docker.Container:
        """Registers a container and its image below `parent`.

        Every container is pinned, health-gated, limited, labelled, without capabilities it does not need, rotates its
        logs, is stopped gently, and keeps nothing inside: replacing one loses nothing.
        """
        children = pulumi.ResourceOptions(parent=parent, provider=self._provider)
        reference = self._stack.image(args.image)
        image = docker.RemoteImage(f"{name}-image", name=reference, keep_locally=True, opts=children)
        memory = mebibytes(args.memory)
        return docker.Container(
            f"{name}-container",
            name=self.physical_name(name),
            hostname=self.physical_name(name),
            image=reference,
            command=args.command,
            envs=[pulumi.Output.concat(key, "=", value) for key, value in sorted(args.env.items())],
            user=args.user,
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", *args.health],
                interval=self.settings.health_interval,
                timeout="5s",
                start_period="0s",
                retries=3,
            ),
            wait=True,
            wait_timeout=duration_seconds(self.settings.start_timeout),
            restart="unless-stopped",
            must_run=True,
            destroy_grace_seconds=args.stop_grace,
            stop_timeout=args.stop_grace,
            remove_volumes=False,
            memory=memory,
            memory_swap=memory,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(args.capabilities)),
            security_opts=[*(_HOST_PID_OPTS if args.host_network else ()), "no-new-privileges:true"],
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            labels=[
                docker.ContainerLabelArgs(label=key, value=value) for key, value in self.labels(args.service).items()
            ],
            uploads=[_upload(path, file, args.user) for path, file in sorted(args.files.items())],
            mounts=[_mount(mount) for mount in args.mounts],
            network_mode="host" if args.host_network else "bridge",
            pid_mode="host" if args.host_network else None,
            networks_advanced=None if args.host_network else self._edge_attachment(name),
            opts=pulumi.ResourceOptions.merge(
                children,
                pulumi.ResourceOptions(
                    depends_on=[image],
                    delete_before_replace=True,
                    # The provider takes a new health check for an update and then updates nothing but the state.
                    replace_on_changes=["healthcheck"],
                    hooks=pulumi.ResourceHookBinding(on_error=[self._logs]),
                ),
            ),
        )

    def _edge_attachment(self, name: str) -> list[docker.ContainerNetworksAdvancedArgs]:
        return [docker.ContainerNetworksAdvancedArgs(name=self._edge_network.name, aliases=[name])]


def _upload(path: str, file: File, user: str | None) -> docker.ContainerUploadArgs:
    if file.private:
        return docker.ContainerUploadArgs(file=path, content=file.content, permissions="0400", owner=user)
    return docker.ContainerUploadArgs(file=path, content=file.content, permissions="0444")


def _mount(mount: Mount) -> docker.ContainerMountArgs:
    return docker.ContainerMountArgs(
        type="bind",
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only,
        bind_options=docker.ContainerMountBindOptionsArgs(propagation=mount.propagation),
    )
