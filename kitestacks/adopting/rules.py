"""Rules: what can go wrong when a declared container takes the place of one that was made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.images import image_name, image_version
from kitestacks.adopting.found import ASIDE
from kitestacks.adopting.keys import missing_secrets
from kitestacks.adopting.plan import POSTGRES_NEW, POSTGRES_OLD, Plan, When, finding, pairs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitestacks.adopting.declared import Declared
    from kitestacks.adopting.found import FoundContainer, FoundMount
    from kitestacks.adopting.plan import Finding, Pair


def plan_of(
    declared: Declared,
    found: Mapping[str, FoundContainer],
    owners: Mapping[str, str],
    networks: Mapping[str, bool],
) -> Plan:
    """Compares.

    Args:
        declared: What the program would make.
        found: The daemon's containers.
        owners: Numeric owner of each data folder that is there.
        networks: The daemon's networks, and whether the program made each.
    """
    pairs = pairs_of(declared, found)
    names = {pair.old.name for pair in pairs}
    others = tuple(
        each for name, each in found.items() if name not in names and not each.ours and not _is_aside(declared, name)
    )
    findings = [each for pair in pairs for each in _of_pair(pair, found, declared.fleet.own.host.docker)]
    if pairs:
        findings += [
            *missing_secrets(declared, pairs),
            *_owners(declared, owners, pairs),
            *_networks(declared, networks),
            *_others(declared, others),
        ]
    taken = tuple(
        found[name] for name in declared.containers if name in found and found[name].ours and f"{name}{ASIDE}" in found
    )
    return Plan(pairs=pairs, taken=taken, others=others, findings=tuple(findings))


def _is_aside(declared: Declared, name: str) -> bool:
    return name.removesuffix(ASIDE) in declared.containers


def _of_pair(pair: Pair, found: Mapping[str, FoundContainer], endpoint: str) -> Iterator[Finding]:
    yield from _image(pair)
    yield from _name(pair, found)
    for target, source in pair.new.mounts.items():
        yield from _mount(pair, target, source)
    yield from _left_mounts(pair)
    yield from _compose(pair, endpoint)
    if pair.old.public:
        ports = ", ".join(map(str, pair.old.public))
        yield finding(
            When.LATER,
            f"{pair.old.name}.ports",
            f"it answers on all addresses of the host at {ports}, past its firewall; the declared one does not",
            f"whoever uses {ports} takes the site's hostname, or the host's private address",
        )


def _image(pair: Pair) -> Iterator[Finding]:
    old, new = pair.old, pair.new
    running = _pinned(old)
    digest = new.image.partition("@")[2]
    # A mirror holds the same image, so that where it comes from does not count.
    same = any(each.endswith(digest) for each in old.digests) if digest else _short(old.image) == _short(new.image)
    if same:
        return
    other = image_name(old.image) != image_name(new.image)
    what = "another program's image may lay its data out differently" if other else "an upgrade is a step of its own"
    yield finding(
        When.BEFORE,
        new.setting,
        f"{old.name} runs {old.image}, declared is {new.image}: {what}",
        f"write {new.setting}: {running} for the first up, and upgrade in a second one",
    )
    if image_name(new.image) == "postgres" and image_version(old.image)[:1] not in ((), image_version(new.image)[:1]):
        yield finding(
            When.BEFORE,
            f"{new.setting}.major",
            f"PostgreSQL {image_version(new.image)[0]} does not open the data of {image_version(old.image)[0]}",
            "keep the major version now; later dump, change it with an empty folder, and restore",
        )


def _short(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2]


def _pinned(old: FoundContainer) -> str:
    """The reference to write: the running one, by its digest where its tag is none to keep."""
    tag = old.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if "@" in old.image or (tag and tag != "latest"):
        return old.image
    return next(iter(old.digests), f"{old.image}@<its digest: docker image inspect {old.image}>")


def _name(pair: Pair, found: Mapping[str, FoundContainer]) -> Iterator[Finding]:
    name = pair.old.name
    if pair.old.vanishes:
        yield finding(
            When.BEFORE,
            f"{name}.rm",
            "it was started with --rm: it is deleted with its unnamed volumes when it stops, with no way back",
            "save what it holds, then make it again without --rm",
        )
    if not pair.aside and f"{name}{ASIDE}" in found:
        yield finding(
            When.BEFORE,
            f"{name}{ASIDE}",
            "there is one already, so this one can't be set aside under that name",
            f"docker rename {name}{ASIDE} {name}.older, or remove it if nobody needs it",
        )


def _mount(pair: Pair, target: str, source: str) -> Iterator[Finding]:
    path = f"{pair.old.name}.mounts.{target}"
    old = next((each for each in pair.old.mounts if each.target == target), None)
    if old is None:
        inner = next((each for each in pair.old.mounts if each.target == POSTGRES_OLD), None)
        if target == POSTGRES_NEW and inner is not None:
            yield _postgres_path(pair, path, source, inner)
            return
        if not any(written.startswith(f"{target}/") for written in pair.old.written):
            return
        yield finding(
            When.BEFORE,
            path,
            f"nothing is mounted there, and the program wrote there: that lies in the container alone, not in {source}",
            f"docker stop -t 120 {pair.old.name}, then docker cp -a {pair.old.name}:{target}/. {source}/, "
            "and make the container again with that folder mounted",
        )
    elif old.kind == "volume":
        unnamed = len(old.volume) == 64 and set(old.volume) <= set("0123456789abcdef")  # noqa: PLR2004 - SHA-256 in hex
        kind = "an unnamed volume, which docker rm -v deletes" if unnamed else f"the volume {old.volume}"
        yield _copy(path, f"the data is in {kind}, not in {source}", old.source, source)
    elif old.source.rstrip("/") != source.rstrip("/"):
        yield _copy(path, f"the data is in {old.source}, not in {source}", old.source, source)


def _copy(path: str, rule: str, old: str, new: str) -> Finding:
    return finding(When.STOPPED, path, rule, f"sudo mkdir -p {new} && sudo cp -a {old}/. {new}/")


def _postgres_path(pair: Pair, path: str, source: str, old: FoundMount) -> Finding:
    major = next(iter(image_version(pair.new.image)), 18)
    inner = f"{source}/{major}/docker"
    beside = f"{source}.moving"
    move = (
        f"sudo mv {source} {beside} && sudo mkdir -p {source}/{major} && sudo mv {beside} {inner}"
        if old.source.rstrip("/") == source.rstrip("/")
        else f"sudo mkdir -p {inner} && sudo cp -a {old.source}/. {inner}/"
    )
    return finding(
        When.STOPPED,
        path,
        f"the data is mounted at {POSTGRES_OLD}; PostgreSQL {major} looks in {major}/docker below {POSTGRES_NEW} and "
        "would begin anew, empty and without an error",
        move,
    )


def _left_mounts(pair: Pair) -> Iterator[Finding]:
    for old in pair.old.mounts if pair.new.mounts else ():
        used = pair.takes_over(old.target)
        if old.writable and not used and old.kind in ("bind", "volume"):
            yield finding(
                When.LATER,
                f"{pair.old.name}.mounts.{old.target}",
                f"{old.volume or old.source} is not taken over: the declared container mounts nothing for data there",
                "look whether something in it is needed; it stays where it is",
            )


def _compose(pair: Pair, endpoint: str) -> Iterator[Finding]:
    project = pair.old.labels.get("com.docker.compose.project")
    if project is None:
        return
    file = pair.old.labels.get("com.docker.compose.project.config_files", "its compose file").partition(",")[0]
    where = f" on {endpoint.removeprefix('ssh://')}" if endpoint.startswith("ssh://") else ""
    yield finding(
        When.LATER,
        f"{pair.old.name}.compose",
        f"compose project {project} still knows it: `up` there takes the name again, and `down -v` deletes volumes",
        f"once it is taken over: mv {file} {file}{ASIDE}{where}, and never docker compose down -v",
    )


def _owners(declared: Declared, owners: Mapping[str, str], pairs: tuple[Pair, ...]) -> Iterator[Finding]:
    used = {source for pair in pairs for source in pair.new.mounts.values()}
    for folder, wanted in declared.folders.items():
        is_used = not used or any(folder == source or folder.startswith(f"{source}/") for source in used)
        if is_used and owners.get(folder, wanted) != wanted:
            yield finding(
                When.STOPPED,
                f"host.data.{folder.removeprefix(declared.fleet.own.host.data).strip('/')}",
                f"{folder} belongs to {owners[folder]}, the declared program is {wanted} and could not write there",
                f"sudo chown -R {wanted} {folder}",
            )


def _networks(declared: Declared, networks: Mapping[str, bool]) -> Iterator[Finding]:
    for name in declared.networks:
        if networks.get(name, True):
            continue
        yield finding(
            When.BEFORE,
            f"networks.{name}",
            "the name of a network that the program makes is taken by one that it did not make",
            f"docker network disconnect -f {name} <each container on it>, then docker network rm {name}",
        )


def _others(declared: Declared, others: tuple[FoundContainer, ...]) -> Iterator[Finding]:
    ports = {port: each.name for each in declared.containers.values() for port in each.ports}
    for other in others:
        for mount in other.mounts:
            if mount.writable and mount.source in declared.folders and other.state == "running":
                yield finding(
                    When.BEFORE,
                    f"{other.name}.mounts.{mount.target}",
                    f"it is not declared, and writes to {mount.source}: two programs on one folder spoil the data",
                    f"docker update --restart=no {other.name} && docker stop -t 120 {other.name}",
                )
        for port in sorted(set(other.ports) & set(ports)):
            yield finding(
                When.BEFORE,
                f"{other.name}.ports.{port}",
                f"it is not declared, and holds the port that {ports[port]} needs",
                f"docker update --restart=no {other.name} && docker stop -t 120 {other.name}",
            )
