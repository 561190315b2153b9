"""Annotated domain types of the stack files. Each refuses with a rule, the value and an example of a good one."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_IMAGE = re.compile(
    r"^(?P<name>[a-z0-9]+([._/:-]+[a-z0-9]+)*?)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_TAILNET = ipaddress.ip_network("100.64.0.0/10")
_GO_DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_LEAST_MEMORY = 6
_ROTATION = re.compile(r"\d{1,6}|\d{4}-\d{2}-\d{2}")
_SIZE = re.compile(r"^(\d+)(MiB|GiB)$")


def _matching(pattern: str, rule: str, example: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            msg = f"{rule}, got {value!r} (for example {example})"
            raise ValueError(msg)
        return value

    return check


def check_image(value: str) -> str:
    """The rule of every image reference: pinned, so that a plan of today is the plan of tomorrow."""
    example = "for example caddy:2.11.4-alpine"
    match = _IMAGE.fullmatch(value)
    if match is None:
        msg = f"must be an image reference, got {value!r} ({example})"
        raise ValueError(msg)
    if match["tag"] is None and match["digest"] is None:
        msg = f"must name a tag or a digest, got {value!r} ({example})"
        raise ValueError(msg)
    if match["tag"] == "latest" and match["digest"] is None:
        msg = f"must be pinned: 'latest' is another image tomorrow, got {value!r} ({example})"
        raise ValueError(msg)
    return value


def _private_address(value: str) -> str:
    """Docker publishes around the host's firewall, so an address is the firewall (moby/moby#4737)."""
    example = "`tailscale ip -4` on the host prints it, for example 100.101.102.103"
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        msg = f"must be an IP address, got {value!r} ({example})"
        raise ValueError(msg) from None
    if not (address.is_loopback or (address.version == _TAILNET.version and address in _TAILNET)):
        rule = "must be a Tailscale (100.64.0.0/10) or loopback address: a port there is not public"
        msg = f"{rule}, got {value!r} ({example})"
        raise ValueError(msg)
    return value


def _peer_address(value: str) -> str:
    try:
        private = ipaddress.ip_address(value).is_private or ipaddress.ip_address(value) in _TAILNET
    except ValueError:
        private = False
    if not private:
        msg = f"must be a private IP address, got {value!r} (for example 172.20.0.1)"
        raise ValueError(msg)
    return value


def _duration(value: str) -> str:
    match = _GO_DURATION.fullmatch(value)
    if not value or match is None or duration_seconds(value) == 0:
        msg = f"must be a duration above zero, in h, m and s, got {value!r} (for example 1m30s)"
        raise ValueError(msg)
    return go_duration(duration_seconds(value))


def _size(value: str) -> str:
    if not _SIZE.fullmatch(value):
        msg = f"must be a size in MiB or GiB, got {value!r} (for example 256MiB)"
        raise ValueError(msg)
    if mebibytes(value) < _LEAST_MEMORY:
        msg = (
            f"must be at least {_LEAST_MEMORY}MiB, with less Docker starts nothing, got {value!r} (for example 256MiB)"
        )
        raise ValueError(msg)
    return value


def _rotation(value: object) -> str:
    """A count or a day; YAML reads an unquoted day as one by itself."""
    text = value.isoformat() if isinstance(value, date) else str(value)
    if isinstance(value, bool) or not _ROTATION.fullmatch(text):
        msg = f"must be a count or a day, got {text!r} (for example 2, or 2026-11-27)"
        raise ValueError(msg)
    return text


def duration_seconds(value: str) -> int:
    """Seconds of a duration such as ``1m30s``."""
    match = _GO_DURATION.fullmatch(value)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


def go_duration(seconds: int) -> str:
    """A duration as Go prints it (``1m0s``): any other spelling differs from what the Docker provider reads back."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def mebibytes(size: str) -> int:
    """MiB of a size such as ``2GiB``."""
    match = _SIZE.fullmatch(size)
    if match is None:
        msg = f"not a size: {size!r}"
        raise ValueError(msg)
    return int(match[1]) * (1024 if match[2] == "GiB" else 1)


Fqdn = Annotated[
    str,
    AfterValidator(
        _matching(
            rf"(?=.{{1,253}}$)({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]",
            "must be a full host name in lower case, without scheme, port or path",
            "www.kitestacks.com",
        )
    ),
    Field(description="A full host name, for example www.kitestacks.com."),
]
EmailAddress = Annotated[
    str,
    AfterValidator(
        _matching(
            rf"[a-z0-9][a-z0-9._+-]{{0,63}}@({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]",
            "must be a mail address in lower case",
            "ada@kitestacks.com",
        )
    ),
    Field(description="A mail address, for example ada@kitestacks.com."),
]
HostName = Annotated[
    str,
    AfterValidator(_matching(_LABEL, "must be one label of lower-case letters, digits and dashes", "monk")),
]
Rotation = Annotated[
    str,
    BeforeValidator(_rotation, json_schema_input_type=int | str),
    Field(description="A count or a day; any other than before makes the secret anew."),
]
GroupName = Annotated[
    str,
    AfterValidator(_matching(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}", "must be a group's name", "kitestacks-users")),
]
ImageRef = Annotated[
    str,
    AfterValidator(check_image),
    Field(description="A pinned image: name:tag, name@sha256:digest, or both; never latest."),
]
PrivateAddress = Annotated[
    str,
    AfterValidator(_private_address),
    Field(description="The host's Tailscale address (or a loopback address); ports are published nowhere else."),
]
PeerAddress = Annotated[
    str,
    AfterValidator(_peer_address),
    Field(description="An address that only machines nearby reach."),
]
DockerEndpoint = Annotated[
    str,
    AfterValidator(
        _matching(
            r"unix:///[^\s]+|ssh://([a-z_][a-z0-9_-]*@)?[A-Za-z0-9.-]+(:\d{1,5})?",
            "must be a Docker endpoint, unix:///path or ssh://user@host",
            "ssh://kite@kscloud1",
        )
    ),
    Field(description="Where the host's Docker daemon is reached: unix:///var/run/docker.sock or ssh://user@host."),
]
AbsolutePath = Annotated[
    str,
    AfterValidator(
        _matching(
            r"(/[^/\0\s:]+)+",
            "must be an absolute path without blanks or colons, ~ written out",
            "/opt/kitestacks/docker",
        )
    ),
]
RootPath = Annotated[
    str,
    AfterValidator(_matching(r"/|(/[^/\0\s:]+)+", "must be / or an absolute path without blanks or colons", "/")),
]
Duration = Annotated[str, AfterValidator(_duration), Field(description="A duration such as 30s or 1m30s.")]
Memory = Annotated[str, AfterValidator(_size), Field(description="A memory limit such as 256MiB or 2GiB.")]
CloudflareId = Annotated[
    str,
    AfterValidator(_matching(r"[0-9a-f]{32}", "must be 32 hexadecimal digits", "023e105f4ecef8ad9ca31a8372d0c353")),
]
