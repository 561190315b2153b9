"""Turns the real stack files into rehearsed ones: same services, other addresses, no account.

A value is swapped only where the real one is valid, so that the program still refuses what it would refuse for real.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from components.edge.plans import PLANS
from components.types import AbsolutePath, CloudflareId, DockerEndpoint, HostName, ImageRef, PrivateAddress
from rehearsal.cloud.store import DEVICES, DISKS, write_private
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from components.model import ServiceSettings
    from rehearsal.twin import Twin

PREFIX = "kitestacks:"
_PROGRAM = ("__main__.py", "components")
_SALT = "encryptionsalt"


def names(root: Path = ROOT) -> list[str]:
    """The stacks of the real project, the foundation first."""
    files = {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path for path in root.glob("Pulumi.*.yaml")}
    return sorted(files, key=lambda name: (f"{PREFIX}edge" not in _config(_document(files[name])), name))


def hostnames(root: Path = ROOT) -> dict[str, list[str]]:
    """The sites that the real stack files declare, each with its hosts."""
    found: dict[str, list[str]] = {}
    for name in names(root):
        for _, block in _services(_config(_document(root / f"Pulumi.{name}.yaml"))):
            site = block.get("site")
            if isinstance(site, dict) and isinstance(site.get("hostname"), str):
                found.setdefault(site["hostname"], []).append(name)
    return found


def domain(root: Path = ROOT) -> str:
    """The zone that the foundation's file names."""
    return str(_edge(root).get("domain", ""))


def plan(root: Path = ROOT) -> str:
    """The zone's plan, as far as the foundation's file says it; the largest where it does not."""
    balancer = _edge(root).get("load-balancer")
    said = balancer.get("plan") if isinstance(balancer, dict) else None
    return said if said in PLANS else "enterprise"


def failover(root: Path = ROOT) -> str:
    """How the edge fails over, as the foundation's file says or by default."""
    return str(_edge(root).get("failover", "replicas"))


def balanced(root: Path = ROOT) -> bool:
    """Whether the foundation's file says how a load balancer would be set, in use or not."""
    return "load-balancer" in _edge(root)


def _edge(root: Path) -> dict[str, Any]:
    """The foundation's `edge` section; empty where the file has none that is one."""
    edge = _config(_document(root / f"Pulumi.{names(root)[0]}.yaml")).get(f"{PREFIX}edge")
    return edge if isinstance(edge, dict) else {}


def images(root: Path = ROOT) -> dict[str, tuple[int, ...]]:
    """Every pinned image that the real stack files name, with the ports that its service declares.

    An image of a side container has none of its own.
    """
    from components.services import KNOWN_SERVICES  # noqa: PLC0415 - each plan in a rehearsal's shell comes by here

    found: dict[str, tuple[int, ...]] = {}
    for service, block in _all_services(root):
        kind = KNOWN_SERVICES.get(service)
        for key, image in block.items():
            if (key != "image" and not key.endswith("-image")) or not _valid(ImageRef, image):
                continue
            ports = (kind.port, *(each.port for each in kind.metrics)) if kind and key == "image" else ()
            found[image] = tuple(dict.fromkeys((*found.get(image, ()), *filter(None, ports))))
    return found


def owner_secrets(stack: str, root: Path = ROOT) -> set[str]:
    """The secrets that a stack wants from its owner, as far as the blocks that name them are valid."""
    from components.host_setup.settings import HostSetupSettings  # noqa: PLC0415 - as above
    from components.services import KNOWN_SERVICES  # noqa: PLC0415 - as above

    config = _config(_document(root / f"Pulumi.{stack}.yaml"))
    host = config.get(f"{PREFIX}host")
    setup = host.get("setup") if isinstance(host, dict) else None
    blocks: list[tuple[type[HostSetupSettings | ServiceSettings], object]] = [(HostSetupSettings, setup)]
    blocks += [(KNOWN_SERVICES[name].Settings, block) for name, block in _services(config) if name in KNOWN_SERVICES]
    found: set[str] = set()
    for kind, block in blocks:
        with contextlib.suppress(ValidationError):
            found |= set(kind.model_validate(block).owner_secrets.values())
    return found


def stale(twin: Twin, root: Path = ROOT) -> bool:
    """Whether a real stack file is newer than its rehearsed copy."""
    return any(
        not (copy := twin.project / path.name).exists() or path.stat().st_mtime_ns > copy.stat().st_mtime_ns
        for path in root.glob("Pulumi.*.yaml")
    )


def render(twin: Twin, swapped_images: dict[str, str], doors: Mapping[str, str], root: Path = ROOT) -> None:
    """Writes the rehearsal's project: the real program by link, its project file, and the rehearsed stack files.

    `doors` has the address at which each host is reached from the others' containers. Secrets that the rehearsal has
    set stay; those of the real files are left out: nobody can read them here.
    """
    for part in _PROGRAM:
        link = twin.project / part
        if not (link.is_symlink() or link.exists()):
            link.symlink_to(ROOT / part)
    project = _document(ROOT / "Pulumi.yaml") or {}
    project.setdefault("runtime", {}).setdefault("options", {})["virtualenv"] = str(ROOT / ".venv")
    (twin.project / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    here, there = ({path.name for path in folder.glob("Pulumi.*.yaml")} for folder in (twin.project, root))
    for gone in here - there:
        (twin.project / gone).unlink()
    devices: dict[str, dict[str, str]] = {}
    for path in root.glob("Pulumi.*.yaml"):
        copy = twin.project / path.name
        document = _document(path)
        if document is None:
            copy.write_text(path.read_text())
            continue
        host = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        rehearsed = _rehearsed(document, _document(copy), twin, swapped_images, doors.get(host))
        copy.write_text(yaml.safe_dump(rehearsed))
        devices |= _device(host, rehearsed)
    write_private(twin.state / DEVICES, devices)


def _device(name: str, rehearsed: dict[str, Any]) -> dict[str, dict[str, str]]:
    """A host as a device of the simulated tailnet, where its file has an address."""
    host = _config(rehearsed).get(f"{PREFIX}host")
    if not isinstance(host, dict) or not isinstance(host.get("tailscale-address"), str):
        return {}
    door = {"reached-at": host["reached-at"]} if "reached-at" in host else {}
    return {name: {"address": host["tailscale-address"]} | door}


def share_salt(twin: Twin, stack: str) -> None:
    """Gives a stack that has none the salt of another: with one passphrase it is one key, derived once in a preview.

    A host's plan reads the foundation's secrets too; with another salt that costs the engine a fifth of a second.
    """
    file = twin.project / f"Pulumi.{stack}.yaml"
    document = _document(file)
    others = (_document(path) or {} for path in sorted(twin.project.glob("Pulumi.*.yaml")))
    salts = [other[_SALT] for other in others if _SALT in other]
    if document is not None and salts and _SALT not in document:
        file.write_text(yaml.safe_dump({_SALT: salts[0]} | document, sort_keys=False))


def _rehearsed(
    real: dict[str, Any], before: dict[str, Any] | None, twin: Twin, images: dict[str, str], door: str | None
) -> dict[str, Any]:
    config = {key: value for key, value in _config(real).items() if not _encrypted(value)}
    services = dict(_services(config))
    _swap_host(config.get(f"{PREFIX}host"), twin, door, crowd=len(services))
    _swap_public_edge(config.get(f"{PREFIX}services"), twin)
    if f"{PREFIX}edge" in config:
        _swap(
            config, f"{PREFIX}cloudflare-account-id", CloudflareId, lambda _: twin.account_id, default=twin.account_id
        )
        _swap(config, f"{PREFIX}cloudflare-zone-id", CloudflareId, lambda _: twin.zone_id, default=twin.zone_id)
    for service, block in services.items():
        _swap_folders(service, block, twin)
    _swap(config, f"{PREFIX}installation", HostName, lambda _: twin.installation, default=twin.installation)
    if isinstance(mirrors := config.setdefault(f"{PREFIX}images", {}), dict):
        mirrors |= images
    kept = before or {}
    secrets = {key: value for key, value in _config(kept).items() if _encrypted(value)}
    salt = {_SALT: kept[_SALT]} if _SALT in kept else {}
    return salt | {"config": config | secrets}


def _swap_host(host: object, twin: Twin, door: str | None, *, crowd: int) -> None:
    """A host of its own on this machine: this daemon, a folder as its disk, a loopback address as its private one.

    `crowd` is how many services it has.
    """
    if not isinstance(host, dict):
        return
    _swap(host, "docker", DockerEndpoint, lambda _: twin.docker or twin.no_daemon)
    _swap(host, "data", AbsolutePath, lambda path: f"{twin.state}/{DISKS}{path}")
    _swap(host, "tailscale-address", PrivateAddress, lambda address: _loopback(address, twin))
    disk = twin.state / DISKS
    disk.mkdir(mode=0o755, exist_ok=True)
    host.setdefault("root", str(disk))
    # Soon, since `up` waits for the first check; but each costs the daemon about a tenth of a second of a core.
    host.setdefault("health-interval", f"{max(2, crowd // 3)}s")
    # What stands in for an app starts in seconds; a drill waits for one that never gets healthy.
    host.setdefault("start-timeout", "90s")
    if door:
        host.setdefault("reached-at", door)


def _swap_public_edge(services: object, twin: Twin) -> None:
    """A site proxy that asks another host's tunnel asks the local edge: never the real site."""
    proxy = services.get("site-proxy") if isinstance(services, dict) else None
    if isinstance(proxy, dict):
        proxy["public-edge"] = twin.public_edge


def _swap_folders(service: str, block: dict[str, Any], twin: Twin) -> None:
    """Folders that the owner has on the host besides the services' data: empty ones on the rehearsal's disk."""
    from components.services import KNOWN_SERVICES  # noqa: PLC0415 - as above

    kind = KNOWN_SERVICES.get(service)
    for name, field in kind.Settings.model_fields.items() if kind else ():
        key = field.alias or name
        if get_args(AbsolutePath)[1] in field.metadata and _valid(AbsolutePath, block.get(key)):
            folder = twin.state / DISKS / block[key].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            block[key] = str(folder)


def _loopback(address: str, twin: Twin) -> str:
    """A loopback address for a Tailscale one: another for each host, and for each rehearsal on this machine."""
    _, second, third, last = (int(part) for part in address.split("."))
    middle = (twin.port + 251 * second + third) % 65536
    return f"127.{middle >> 8}.{middle & 255}.{last}"


def _swap(
    block: dict[str, Any],
    key: str,
    kind: Any,  # noqa: ANN401 - a type with its rules
    swap: Callable[[str], str],
    *,
    default: str | None = None,
) -> None:
    if key not in block and default is not None:
        block[key] = default
    elif _valid(kind, block.get(key)):
        block[key] = swap(block[key])


def _valid(kind: Any, value: object) -> bool:  # noqa: ANN401 - a type with its rules
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _document(path: Path) -> dict[str, Any] | None:
    """A YAML file's mapping; None where it is none, which is for the program to say."""
    try:
        document = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, FileNotFoundError):
        return None
    return document if isinstance(document, dict) else None


def _config(document: dict[str, Any] | None) -> dict[str, Any]:
    config = (document or {}).get("config")
    return config if isinstance(config, dict) else {}


def _all_services(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return (each for name in names(root) for each in _services(_config(_document(root / f"Pulumi.{name}.yaml"))))


def _services(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    services = config.get(f"{PREFIX}services")
    blocks: Iterable[tuple[str, object]] = services.items() if isinstance(services, dict) else ()
    return ((name, block) for name, block in blocks if isinstance(block, dict))


def _encrypted(value: object) -> bool:
    return isinstance(value, dict) and "secure" in value
