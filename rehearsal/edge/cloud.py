"""What the edge knows of the simulated cloud: the parts of `cloud.json` that lead a visitor to a connector."""

from __future__ import annotations

import logging
import re  # noqa: TC003 - pydantic reads the annotation when the class is made
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


class _Part(BaseModel):
    # What other simulated clouds keep in the same file is none of the edge's business.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Tunnel(_Part):
    """A tunnel's identity and the secret that its connectors show."""

    account_id: str
    name: str
    secret: str = Field(repr=False)


class OriginRequest(_Part):
    """What a rule changes about the request to the service."""

    http_host_header: str | None = None


class Rule(_Part):
    """An ingress rule: which requests go to which service; without hostname it takes all."""

    service: str
    hostname: str | None = None
    path: re.Pattern[str] | None = None
    origin_request: OriginRequest = OriginRequest()

    def takes(self, hostname: str, path: str) -> bool:
        """Whether the rule is for this request, as cloudflared decides it: `*.` stands for any depth."""
        wanted = self.hostname or "*"
        named = wanted in ("*", hostname) or (wanted.startswith("*.") and hostname.endswith(wanted[1:]))
        return named and (self.path is None or self.path.search(path) is not None)


class TunnelConfig(_Part):
    """The ingress rules of one tunnel; the first that fits counts."""

    ingresses: tuple[Rule, ...] = ()


class DnsRecord(_Part):
    """A name in a zone."""

    name: str
    type: str
    content: str
    proxied: bool = False


class OriginHeader(_Part):
    """Headers that an origin gets instead of the visitor's."""

    hosts: tuple[str, ...] = ()


class Origin(_Part):
    """One member of a pool."""

    address: str
    enabled: bool = True
    header: OriginHeader = OriginHeader()


class HostHeader(_Part):
    """The Host header that a monitor asks with."""

    host: tuple[str, ...] = Field(default=(), validation_alias="Host")


class Pool(_Part):
    """A group of origins, well if enough of them are."""

    name: str
    origins: tuple[Origin, ...]
    monitor: str | None = None
    enabled: bool = True
    minimum_origins: int = 1


class Monitor(_Part):
    """A health check; what is not said is as the API has it by default."""

    path: str = "/"
    method: str = "GET"
    interval: int = 60
    timeout: int = 5
    retries: int = 2
    consecutive_down: int = 0
    consecutive_up: int = 0
    expected_codes: str = "200"
    follow_redirects: bool = False
    header: HostHeader = HostHeader()


class LoadBalancer(_Part):
    """A hostname whose visitors go to a pool that is well."""

    name: str
    default_pools: tuple[str, ...]
    fallback_pool: str
    steering_policy: str = "off"
    session_affinity: str = "none"
    enabled: bool = True

    @property
    def pool_ids(self) -> frozenset[str]:
        """Every pool that it may use."""
        return frozenset({*self.default_pools, self.fallback_pool})


class Cloudflare(_Part):
    """The account: zones by id, tunnels and their rules by UUID, records and the parts of load balancing by id."""

    account_id: str = ""
    zones: dict[str, str] = {}
    tunnels: dict[str, Tunnel] = {}
    tunnel_configs: dict[str, TunnelConfig] = {}
    dns_records: dict[str, DnsRecord] = {}
    monitors: dict[str, Monitor] = {}
    pools: dict[str, Pool] = {}
    load_balancers: dict[str, LoadBalancer] = {}


class Docker(_Part):
    """Containers as the Docker provider was given them; there are none where a real daemon runs."""

    containers: dict[str, dict[str, Any]] = {}


class Cloud(_Part):
    """One reading of the file."""

    cloudflare: Cloudflare = Cloudflare()
    docker: Docker = Docker()


class CloudFile:
    """The file, read again whenever it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._cloud = Cloud()

    def read(self) -> Cloud:
        """The newest readable state: without a file an empty cloud; an unreadable one is logged and passed over."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._cloud = (), Cloud()
            return self._cloud
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._cloud = Cloud.model_validate_json(self._path.read_bytes())
            except (OSError, ValidationError) as error:
                _log.warning("%s can't be read; the last good state stays in use: %s", self._path.name, error)
        return self._cloud
