"""Shows a container's own last lines where `up` fails on it: what a person would look for first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 20


def explain_failure(host: str, endpoint: str) -> Callable[[pulumi.ErrorHookArgs], bool]:
    """The error hook of a host's containers.

    It logs the container's name, its last log lines and the way on. It never asks for a retry: a container that did not
    become healthy in its time is not helped by another wait.
    """

    def hook(args: pulumi.ErrorHookArgs) -> bool:
        container = str((args.new_inputs or args.old_inputs or {}).get("name", args.name))
        lines = _last_lines(endpoint, container)
        way_out = f"Mend what it says and type `pulumi up -s {host}` again; all of its log: docker logs {container}"
        if any("already in use" in error for error in args.errors):
            way_out = f"Its name is taken by one that this stack does not know: python3 -m kitestacks orphans -s {host}"
        if any("bind source path does not exist" in error for error in args.errors):
            way_out = (
                "A folder of its data is not there. Another disk that is not mounted: mount it. A new machine: write "
                f"another word as host.machine into Pulumi.{host}.yaml, to prepare it anew; then `pulumi up -s {host}`"
            )
        done = _DONE.get(args.failed_operation, "changed")
        pulumi.log.error(f"container {container} on {host} could not be {done}.\n{lines}\n{way_out}")
        return False

    return hook


_DONE = {"create": "started and become healthy", "update": "changed", "delete": "removed"}


def _last_lines(endpoint: str, container: str) -> str:
    """The end of the container's log, or in words why there is none; a failing look never hides the first failure."""
    from docker.client import DockerClient  # noqa: PLC0415 - takes 0.2 s to import, and nearly no run needs it
    from docker.errors import DockerException, NotFound  # noqa: PLC0415

    try:
        client = DockerClient(base_url=endpoint, use_ssh_client=endpoint.startswith("ssh://"), timeout=10)
        found = client.containers.get(container)
        health = found.attrs["State"].get("Health", {})
        text = found.logs(tail=_LINES).decode(errors="replace").rstrip()
    except NotFound:
        return "It does not exist: the daemon refused to make it."
    except (DockerException, OSError) as error:
        return f"Its log could not be read: {error}"
    checks = [str(check["Output"]).strip() for check in health.get("Log", [])[-1:]]
    last_check = f"\nIts last health check: {checks[0]}" if checks and checks[0] else ""
    quoted = "\n".join(f"  | {line}" for line in text.splitlines()) or "  | (empty)"
    state = f"It is {found.status}, its health is {health.get('Status', 'not known')}."
    return f"{state} The end of its log:\n{quoted}{last_check}"
