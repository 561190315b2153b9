"""`orphans`: finds what a killed engine made in Docker and did not write down, and removes it on demand.

An engine that dies between Docker's answer and its own note leaves a thing whose name is taken. It is found by its
labels of ownership, shown, and removed only with --remove. Containers keep no data: that lies in the host's folders.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

_KINDS = {"docker:index/container:Container": "container", "docker:index/network:Network": "network"}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("-s", "--stack", required=True, help="the host whose update was interrupted")
    parser.add_argument("--remove", action="store_true", help="remove what is found; without it, it is only shown")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Shows, and with --remove removes, what carries the stack's labels and is not in its state.

    Raises:
        CommandError: the engine or the daemon does not answer.
    """
    from docker.client import DockerClient  # noqa: PLC0415 - not needed for --help
    from docker.errors import DockerException  # noqa: PLC0415

    endpoint, labels = _owner(args.stack)
    recorded = _recorded_ids(args.stack)
    try:
        client = DockerClient(base_url=endpoint, use_ssh_client=endpoint.startswith("ssh://"), timeout=30)
        filters = {"label": [f"{key}={value}" for key, value in labels.items()]}
        found = [
            *(("container", each) for each in client.containers.list(all=True, filters=filters)),
            *(("network", each) for each in client.networks.list(filters=filters)),
        ]
        orphans = [(kind, each) for kind, each in found if each.id not in recorded]
        for _, each in orphans if args.remove else ():
            each.remove(**({"force": True} if hasattr(each, "kill") else {}))
    except (DockerException, OSError) as error:
        raise CommandError(
            f"the Docker daemon at {endpoint} does not answer: {error}", "start it, then again", Exit.RESOURCE
        ) from error
    _report(args, [{"kind": kind, "name": str(each.name), "id": str(each.id)[:12]} for kind, each in orphans])
    return Exit.OK


def _report(args: argparse.Namespace, orphans: list[dict[str, str]]) -> None:
    console = Console()
    if args.json:
        console.result(json.dumps({"removed": args.remove, "orphans": orphans}, indent=2))
        return
    for orphan in orphans:
        console.result(f"{'removed' if args.remove else 'found'}  {orphan['kind']} {orphan['name']} ({orphan['id']})")
    if not orphans:
        console.result(f"nothing on {args.stack} is unknown to its stack")
    elif args.remove:
        console.result(f"now: pulumi up -s {args.stack}")
    else:
        console.result(f"remove them: python3 -m kitestacks orphans -s {args.stack} --remove")


def _owner(stack: str) -> tuple[str, dict[str, str]]:
    """The host's Docker endpoint and the labels that mark what this stack makes, from its configuration."""
    config: dict[str, Any] = json.loads(_pulumi("config", "--json", "-s", stack))
    host = json.loads(config["kitestacks:host"]["value"])
    installation = config.get("kitestacks:installation", {}).get("value", "kitestacks")
    return host["docker"], {"kitestacks.installation": installation, "kitestacks.host": stack}


def _recorded_ids(stack: str) -> set[str]:
    """Docker's ids of everything that the stack's state knows."""
    state: dict[str, Any] = json.loads(_pulumi("stack", "export", "-s", stack))
    resources = state["deployment"].get("resources", [])
    return {resource["id"] for resource in resources if resource["type"] in _KINDS and "id" in resource}


def _pulumi(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["pulumi", "--non-interactive", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError(
            "pulumi is not on PATH", "source activate (or rehearsal/activate)", Exit.CONFIGURATION
        ) from None
    if result.returncode:
        raise CommandError(
            result.stderr.strip(),
            "source activate (or rehearsal/activate) in this shell first",
            Exit(result.returncode),
        )
    return result.stdout
