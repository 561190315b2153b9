"""The independent implementation: built once, fed policies and questions, answering verdicts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.tailnet import ports
from components.tailnet.selectors import Kind, read

if TYPE_CHECKING:
    from components.tailnet.policy import Acl, Grant, Policy

_SOURCE = Path(__file__).parent / "oracle"
_CACHE = Path(__file__).parents[2] / ".kitestacks" / "oracle"
_BUILD_SECONDS = 900
_PORT_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
_KINDS = frozenset({Kind.ANY, Kind.USER, Kind.GROUP, Kind.TAG, Kind.HOST, Kind.NETWORK})
_AUTOGROUPS = frozenset({"autogroup:member", "autogroup:tagged", "autogroup:self", "autogroup:internet"})


def build() -> Path:
    """The program, built if its source changed; skips where there is no Go or no way to its modules."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("the independent tailnet engine is a Go program, and Go is missing")
    parts = [(_SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")]
    program = _CACHE / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    if program.exists():
        return program
    _CACHE.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0", "GOWORK": "off"}
    fetched = _run([go, "mod", "download"], environment)
    if fetched.returncode:
        pytest.skip(f"the independent tailnet engine's Go modules can't be had: {fetched.stderr[-300:]}")
    with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
        fresh = Path(folder) / "oracle"
        built = _run([go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), "."], environment)
        assert built.returncode == 0, built.stderr
        fresh.replace(program)
    return program


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=_SOURCE, env=environment, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
    )


def ask(program: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer for each case."""
    finished = subprocess.run(
        [program], input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
    )
    assert finished.returncode == 0, finished.stderr
    answers: list[dict[str, Any]] = json.loads(finished.stdout)
    return answers


def as_acls(policy: Policy) -> dict[str, Any] | None:
    """The same rules in the older form that the engine knows; None where a selector has no counterpart there."""
    if policy.grants is None and policy.acls is None:
        document: dict[str, Any] = {}
    else:
        document = {"acls": []}
        for grant in policy.grants or ():
            document["acls"] += _of_grant(grant)
        document["acls"] += [_of_acl(acl) for acl in policy.acls or ()]
    used = [
        text
        for acl in document.get("acls", ())
        for text in (*acl["src"], *(ports.split_destination(destination)[0] for destination in acl["dst"]))
    ]
    if not all(_is_known(text) for text in used):
        return None
    owners = {tag: ["ada@example.com"] for tag in policy.tag_owners}
    groups = {name: list(members) for name, members in policy.groups.items()}
    return {"groups": groups, "hosts": policy.hosts, "tagOwners": owners} | document


def _is_known(text: str) -> bool:
    selector = read(text)
    one_network = selector.kind is not Kind.NETWORK or "-" not in text
    return (selector.kind in _KINDS and one_network) or text in _AUTOGROUPS


def _of_grant(grant: Grant) -> list[dict[str, Any]]:
    """An acl for each entry of `ip`: an acl has one protocol."""
    found = []
    for text in grant.ip:
        protocol, _, opened = text.rpartition(":")
        named = {} if protocol in {"", "*"} else {"proto": _name(protocol)}
        destinations = [f"{selector}:{opened}" for selector in grant.dst]
        found.append({"action": "accept", "src": list(grant.src), "dst": destinations} | named)
    return found


def _of_acl(acl: Acl) -> dict[str, Any]:
    named = {"proto": _name(acl.proto)} if acl.proto else {}
    destinations = [":".join(ports.split_destination(text)).replace("[", "").replace("]", "") for text in acl.dst]
    return {"action": "accept", "src": list(acl.src), "dst": destinations} | named


def _name(protocol: str) -> str:
    number = min(ports.read_protocol(protocol))
    return _PORT_PROTOCOLS.get(number, "icmp" if number in ports.PING else str(number))
