"""Host: one machine with a Docker daemon, and the one place where a container is made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from components.backup_runner.marks import FILES_LABEL
from components.container_logs import explain_failure
from components.types import duration_seconds, mebibytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.host_setup import HostSetup
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

_ALONE = "kitestacks"
"""The installation whose containers have plain names."""
_PRIVATE = "0440"
_READABLE = "0444"
_SECRET_ENV = "/run/secrets/environment"  # noqa: S105 - a path
_HOST_PID_OPTS = ("label=disable",)
"""What the daemon adds by itself where a container sees the host's processes; unsaid, each refresh would replace it."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that is put into a container; a changed file replaces the container.

    Attributes:
        content: Its text; may be secret.
        private: Only the container's own programs may read it.
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
        image: The declared, pinned image.
        health: The command of the health check, in exec form; it must exist in the image. Exit status 0 is healthy.
        memory: Limit, for example 256MiB; swap is not added to it.
        command: Arguments after the image's entry point, where the image's own do not fit.
        env: Environment; no secrets, `docker inspect` shows it.
        secret_env: Environment that is secret, for an image that takes it in no other way: a private file, which a
            shell of the image reads before it starts `entrypoint`.
        entrypoint: The image's own entry point and command in full; only with `secret_env`, or to replace them.
        files: Files by their path in the container; secrets go here.
        mounts: Folders of the host.
        user: User id, where the image's own is not the least.
        capabilities: What is added back after all are dropped, written CAP_...
        networks: The networks it is on, by short name: `edge` only where visitors or Prometheus have to find it.
        hosts: Names that stand for addresses of other hosts; MagicDNS does not reach into a container.
        ports: Ports inside to ports on the host's Tailscale address.
        host_network: Lives on the host's own network and sees its processes, instead of `networks`.
        tmpfs: Folders in memory, with their mount options.
        shared_memory: MiB of /dev/shm, where Docker's 64 are too few.
        init: A small init process reaps what the program leaves behind.
        stop_grace: Seconds between asking a container to stop and killing it.
        service: The service it belongs to; `Service.container` sets it.
    """

    image: str
    health: Sequence[str]
    memory: str
    command: Sequence[pulumi.Input[str]] | None = None
    env: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secret_env: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()
    files: Mapping[str, File] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    user: str | None = None
    capabilities: Sequence[str] = ()
    networks: Sequence[str] = (EDGE_NETWORK,)
    hosts: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    host_network: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    shared_memory: int | None = None
    init: bool | None = None
    stop_grace: int = 30
    service: str = ""


class Host(pulumi.ComponentResource):
    """One machine of the fleet.

    Creates: the Docker provider of the machine, and each network when the first container asks for it.
    Leaves out: Docker itself, Tailscale and the data folders: they are the machine's own, or `HostSetup`'s.

    Attributes:
        name: The host's name, which is the stack's.
        settings: The `host` block of its stack file.
        prepared: What has to be done before anything is done on the host.
    """

    def __init__(
        self,
        name: str,
        stack: StackFile,
        *,
        setup: HostSetup | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kitestacks:index:Host", name, None, opts)
        self.name = name
        self.settings: HostSettings = stack.host
        self.prepared: Sequence[pulumi.Resource] = [setup.done] if setup else []
        self._stack = stack
        endpoint = self.settings.docker
        self._provider = docker.Provider(
            f"{name}-docker",
            # Not known before the host is set up: a plan for a fresh host must not ask a daemon that is not there yet.
            host=setup.done.id.apply(lambda _: endpoint) if setup else endpoint,
            ssh_opts=SSH_OPTIONS if endpoint.startswith("ssh://") else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self.prepared)),
        )
        self._networks: dict[str, docker.Network] = {}
        self._logs = pulumi.ErrorHook(f"{name}-container-logs", explain_failure(name, self.settings.docker))
        self.register_outputs({"endpoint": self.settings.docker})

    def physical_name(self, name: str, *, shared_namespace: bool = False) -> str:
        """What Docker calls a thing of this host: a container's plain name, because people type it.

        Two installations on one machine (a rehearsal beside the real thing) stay apart by a prefix. A network's name
        always has one: `edge` alone would say too little in `docker network ls`.
        """
        installation = self._stack.installation
        plain = f"{installation}-{name}" if shared_namespace and installation == _ALONE else name
        return physical_name(installation, self.name, plain)

    def labels(self, service: str) -> dict[str, str]:
        """The marks of ownership: by them orphans are found, and nothing else is ever touched."""
        return {
            "kitestacks.installation": self._stack.installation,
            "kitestacks.host": self.name,
            "kitestacks.service": service,
        }

    def container(
        self, name: str, args: ContainerArgs, parent: pulumi.Resource, after: Sequence[pulumi.Resource] = ()
    ) -> docker.Container:
        """Registers a container and its image below `parent`; it starts once `after` is done.

        Every container is pinned, health-gated, limited, labelled, without capabilities it does not need, rotates its
        logs, is stopped gently, and keeps nothing inside: replacing one loses nothing.
        """
        children = pulumi.ResourceOptions(parent=parent, provider=self._provider)
        reference = self._stack.image(args.image)
        image = docker.RemoteImage(f"{name}-image", name=reference, keep_locally=True, opts=children)
        memory = mebibytes(args.memory)
        files, entrypoint, command = _start(args)
        return docker.Container(
            f"{name}-container",
            name=self.physical_name(name),
            hostname=self.physical_name(name),
            image=reference,
            command=command,
            entrypoints=entrypoint,
            envs=[pulumi.Output.concat(key, "=", value) for key, value in sorted(args.env.items())],
            user=args.user,
            # Private files are root's and readable by its group, which every container's user joins: the daemon would
            # look up any other owner in the host's own list of users.
            group_adds=["0"] if any(file.private for file in files.values()) else None,
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
                docker.ContainerLabelArgs(label=key, value=value)
                for key, value in (self.labels(args.service) | _files_label(files)).items()
            ],
            uploads=[_upload(path, file) for path, file in sorted(files.items())],
            mounts=[_mount(mount) for mount in args.mounts],
            network_mode="host" if args.host_network else "bridge",
            pid_mode="host" if args.host_network else None,
            networks_advanced=None
            if args.host_network
            else [self._attachment(network, name) for network in args.networks],
            ports=[self._port(inside, outside) for inside, outside in sorted(args.ports.items())],
            hosts=[docker.ContainerHostArgs(host=host, ip=ip) for host, ip in sorted(args.hosts.items())],
            tmpfs=dict(args.tmpfs) or None,
            shm_size=args.shared_memory,
            init=args.init,
            opts=pulumi.ResourceOptions.merge(
                children,
                pulumi.ResourceOptions(
                    depends_on=[image, *after],
                    delete_before_replace=True,
                    # The provider takes a new one of these for an update, and then updates nothing but the state.
                    replace_on_changes=["healthcheck", "tmpfs", "init"],
                    hooks=pulumi.ResourceHookBinding(on_error=[self._logs]),
                ),
            ),
        )

    def _attachment(self, network: str, container: str) -> docker.ContainerNetworksAdvancedArgs:
        if network not in self._networks:
            self._networks[network] = docker.Network(
                f"{self.name}-{network}",
                name=self.physical_name(network, shared_namespace=True),
                driver="bridge",
                labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in self.labels(network).items()],
                opts=pulumi.ResourceOptions(parent=self, provider=self._provider, delete_before_replace=True),
            )
        return docker.ContainerNetworksAdvancedArgs(name=self._networks[network].name, aliases=[container])

    def _port(self, inside: int, outside: int) -> docker.ContainerPortArgs:
        """A published port, on the private address alone: Docker's own rules go around the host's firewall."""
        return docker.ContainerPortArgs(
            internal=inside, external=outside, ip=self.settings.tailscale_address, protocol="tcp"
        )


def physical_name(installation: str, host: str, container: str) -> str:
    """What Docker calls a container of a host in an installation."""
    return container if installation == _ALONE else f"{installation}-{host}-{container}"


def _start(args: ContainerArgs) -> tuple[dict[str, File], list[str] | None, list[pulumi.Input[str]] | None]:
    """Files, entry point and command of a container; a secret environment is a file that its shell reads first."""
    files = dict(args.files)
    command = list(args.command) if args.command is not None else None
    if not args.secret_env:
        return files, list(args.entrypoint) or None, command
    lines = [pulumi.Output.concat("export ", key, "='", value, "'\n") for key, value in sorted(args.secret_env.items())]
    files[_SECRET_ENV] = File(content=pulumi.Output.concat(*lines), private=True)
    return files, ["/bin/sh", "-c", f'. {_SECRET_ENV}; exec "$@"', "sh"], [*args.entrypoint, *(command or ())]


def _files_label(files: Mapping[str, File]) -> dict[str, str]:
    return {FILES_LABEL: json.dumps(sorted(files))} if files else {}


def _upload(path: str, file: File) -> docker.ContainerUploadArgs:
    return docker.ContainerUploadArgs(
        file=path, content=file.content, permissions=_PRIVATE if file.private else _READABLE
    )


def _mount(mount: Mount) -> docker.ContainerMountArgs:
    return docker.ContainerMountArgs(
        type="bind",
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only,
        bind_options=docker.ContainerMountBindOptionsArgs(propagation=mount.propagation),
    )
