"""Simulated Docker, for a machine without a daemon: objects are written down, nothing runs.

One daemon, whatever host a provider is configured with. A container is running and healthy at once. Left out: images
that do not exist, ports that are taken, and everything else only a running container could show.
"""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, ClassVar

from .resource import Provider, Refusal, Resource, shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resource import Shape
    from .store import Data, Store
    from .wire import Props

_LABELS = shape("label value")
_RATE = shape("path rate")
_BUILT_IN_NETWORKS = ("bridge", "host", "none")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")

_CONTAINER = shape(
    "image attach cgroupParent cgroupnsMode command containerReadRefreshTimeoutMilliseconds cpuPeriod cpuQuota"
    " cpuSet cpuShares cpus destroyGraceSeconds deviceCgroupRules dns dnsOpts dnsSearches domainname entrypoints"
    " envs gpus groupAdds hostname init ipcMode logDriver logOpts logs maxRetryCount memory memoryReservation"
    " memorySwap mustRun name networkMode pidMode platform privileged publishAllPorts readOnly removeVolumes restart"
    " rm runtime securityOpts shmSize start stdinOpen stopSignal stopTimeout storageOpts sysctls tmpfs tty user"
    " usernsMode wait waitTimeout workingDir",
    capabilities=shape("adds drops"),
    deviceReadBps=_RATE,
    deviceReadIops=_RATE,
    deviceRequests=shape("capabilities count deviceIds driver options"),
    deviceWriteBps=_RATE,
    deviceWriteIops=_RATE,
    devices=shape("hostPath containerPath permissions"),
    healthcheck=shape("interval retries startInterval startPeriod tests timeout"),
    hosts=shape("host ip"),
    labels=_LABELS,
    mounts=shape(
        "target type readOnly source",
        bindOptions=shape("propagation"),
        tmpfsOptions=shape("mode sizeBytes"),
        volumeOptions=shape("driverName driverOptions noCopy subpath", labels=_LABELS),
    ),
    networksAdvanced=shape("name aliases driverOpts gwPriority ipv4Address ipv6Address linkLocalIps macAddress"),
    ports=shape("internal external ip protocol"),
    ulimits=shape("hard name soft"),
    uploads=shape("file content contentBase64 executable group owner permissions source sourceHash"),
    volumes=shape("containerPath fromContainer hostPath readOnly selinuxRelabel volumeName"),
)
_TOLD_TO_DAEMON = shape("restart maxRetryCount cpuShares cpuSet cpus memory memoryReservation memorySwap")
_KEPT_BY_PROVIDER = shape(
    "attach containerReadRefreshTimeoutMilliseconds cpuPeriod cpuQuota destroyGraceSeconds init logs mustRun"
    " removeVolumes rm start tmpfs wait waitTimeout"
)


class _DockerObject(Resource):
    """What containers, networks and volumes have in common: named, labelled, kept as they were given."""

    kind: ClassVar[str]
    autonamed = True
    delete_before_replace = True
    unordered = frozenset({"labels"})

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Write the object down under an id of its own."""
        object_id = self.new_id(inputs)
        if not _NAME.fullmatch(inputs["name"]):
            allowed = f'only "{_NAME.pattern}" are allowed'
            raise Refusal(f"400 Bad Request: Invalid {self.kind} name ({inputs['name']}), {allowed}")
        with store.change() as data:
            outputs = self.outputs(object_id, inputs)
            self.refuse_new(data["docker"], object_id, inputs)
            data["docker"][f"{self.kind}s"][object_id] = {**outputs, **inputs}
        return object_id, outputs

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look the object up."""
        found: Props | None = store.view()["docker"][f"{self.kind}s"].get(resource_id)
        return found

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Write down what can change while it exists."""
        outputs = self.outputs(resource_id, inputs)
        with store.change() as data:
            objects = data["docker"][f"{self.kind}s"]
            if resource_id not in objects:
                raise Refusal(f"404 Not Found: No such {self.kind}: {inputs['name']}")
            objects[resource_id] = {**outputs, **inputs}
        return outputs

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove the object."""
        with store.change() as data:
            self.refuse_removal(data["docker"], resource_id, state)
            data["docker"][f"{self.kind}s"].pop(resource_id, None)

    def new_id(self, inputs: Props) -> str:
        """Make an id as the daemon does."""
        return secrets.token_hex(32)

    def outputs(self, object_id: str, inputs: Props) -> Props:
        """Give what the daemon adds."""
        raise NotImplementedError

    def refuse_new(self, docker: Data, object_id: str, inputs: Props) -> None:
        """Raise `Refusal` if the daemon would not make it."""

    def refuse_removal(self, docker: Data, object_id: str, state: Props) -> None:
        """Raise `Refusal` if the daemon would not remove it."""


class Container(_DockerObject):
    """A container: running and healthy as soon as it is written down."""

    type_name = "docker:index/container:Container"
    kind = "container"
    inputs: ClassVar[Shape] = _CONTAINER
    required = ("image",)
    computed = ("bridge", "containerLogs", "exitCode", "hostname", "networkDatas", "networkMode", "runtime")
    replaces = frozenset(_CONTAINER) - {*_TOLD_TO_DAEMON, *_KEPT_BY_PROVIDER}
    unordered = frozenset(
        shape(
            "capabilities devices dns dnsOpts dnsSearches envs groupAdds hosts labels mounts networksAdvanced"
            " securityOpts ulimits uploads volumes"
        )
    )

    def outputs(self, object_id: str, inputs: Props) -> Props:
        """Give what the daemon adds, as far as a program may want it."""
        address = f"172.31.{int(object_id[:2], 16)}.{int(object_id[2:4], 16)}"
        return {
            "bridge": "",
            "containerLogs": "",
            "exitCode": 0,
            "hostname": object_id[:12],
            "networkDatas": [{"networkName": name, "ipAddress": address} for name in _networks(inputs)],
            "networkMode": "bridge",
            "runtime": "runc",
        }

    def refuse_new(self, docker: Data, object_id: str, inputs: Props) -> None:
        """Refuse a name that is taken and a network that is not there."""
        for other_id, other in docker["containers"].items():
            if other["name"] == inputs["name"]:
                raise Refusal(
                    "409 Conflict: Error response from daemon: Conflict. The container name"
                    f' "/{inputs["name"]}" is already in use by container "{other_id}". You have to remove (or rename)'
                    " that container to be able to reuse that name."
                )
        known = {*docker["networks"], *_BUILT_IN_NETWORKS, *(each["name"] for each in docker["networks"].values())}
        for network in _networks(inputs):
            if network not in known:
                raise Refusal(f"404 Not Found: Error response from daemon: network {network} not found")


def _networks(container: Props) -> Iterator[str]:
    return (network["name"] for network in container.get("networksAdvanced", ()))


class Network(_DockerObject):
    """A network."""

    type_name = "docker:index/network:Network"
    kind = "network"
    inputs = shape(
        "attachable driver ingress internal ipamDriver ipamOptions ipv6 name options",
        ipamConfigs=shape("auxAddress gateway ipRange subnet"),
        labels=_LABELS,
    )
    computed = ("driver", "ipamConfigs", "options", "scope")
    replaces = frozenset(inputs)

    def outputs(self, object_id: str, inputs: Props) -> Props:
        """Give the daemon's own choices."""
        return {"driver": "bridge", "ipamConfigs": [], "options": {}, "scope": "local"}

    def refuse_new(self, docker: Data, object_id: str, inputs: Props) -> None:
        """Refuse a name that is taken."""
        names = {network["name"] for network in docker["networks"].values()}
        if inputs["name"] in {*names, *_BUILT_IN_NETWORKS}:
            name = inputs["name"]
            raise Refusal(f"409 Conflict: Error response from daemon: network with name {name} already exists")

    def refuse_removal(self, docker: Data, object_id: str, state: Props) -> None:
        """Refuse to take a network away from a container."""
        if any({object_id, state.get("name")} & set(_networks(each)) for each in docker["containers"].values()):
            name = state.get("name")
            raise Refusal(f"403 Forbidden: Error response from daemon: network {name} has active endpoints")


class Volume(_DockerObject):
    """A volume; asking for one that exists gives that one, as the daemon does."""

    type_name = "docker:index/volume:Volume"
    kind = "volume"
    inputs = shape(
        "driver driverOpts name",
        cluster=shape(
            "availability group id limitBytes requiredBytes scope sharing topologyPreferred topologyRequired type"
        ),
        labels=_LABELS,
    )
    computed = ("driver", "mountpoint")
    replaces = frozenset(inputs)

    def new_id(self, inputs: Props) -> str:
        """Take the name: a volume has no other id."""
        return str(inputs["name"])

    def outputs(self, object_id: str, inputs: Props) -> Props:
        """Give the daemon's own choices."""
        return {"driver": "local", "mountpoint": f"/var/lib/docker/volumes/{object_id}/_data"}

    def refuse_removal(self, docker: Data, object_id: str, state: Props) -> None:
        """Refuse to take a volume away from a container."""
        for container in docker["containers"].values():
            mounts = [*container.get("volumes", ()), *container.get("mounts", ())]
            if any(object_id in (mount.get("volumeName"), mount.get("source")) for mount in mounts):
                name = container["name"]
                raise Refusal(f"409 Conflict: remove {object_id}: volume is in use by container {name}")


class RemoteImage(Resource):
    """An image; every reference can be pulled."""

    type_name = "docker:index/remoteImage:RemoteImage"
    inputs = shape("name forceRemove keepLocally platform pullTriggers triggers build")
    required = ("name",)
    computed = ("imageId", "repoDigest")
    replaces = frozenset({"name", "platform", "pullTriggers", "triggers", "build"})

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Pull it."""
        digest = f"sha256:{hashlib.sha256(inputs['name'].encode()).hexdigest()}"
        outputs = {"imageId": digest, "repoDigest": f"{inputs['name'].partition('@')[0]}@{digest}"}
        with store.change() as data:
            data["docker"]["images"][f"{digest}{inputs['name']}"] = {**outputs, **inputs}
        return f"{digest}{inputs['name']}", outputs

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look it up."""
        found = store.view()["docker"]["images"].get(resource_id)
        return None if found is None else {**found, **state}

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Keep the image; only what is done at its removal changes."""
        return {name: state[name] for name in self.computed}

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove it, unless it is to be kept."""
        if not state.get("keepLocally"):
            with store.change() as data:
                data["docker"]["images"].pop(resource_id, None)


DOCKER = Provider(name="docker", resources=(Container(), Network(), Volume(), RemoteImage()))
