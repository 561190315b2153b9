"""The site proxy: behind the connectors of every shared site, it sends each request to the copy that may answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from components.backup import Backup
from components.edge.copies import proxied_sites
from components.edge.site_proxy import ALIVE_PORT, TAILNET_PORT, Timing, site_proxy_config
from components.host import ContainerArgs, File
from components.model import ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service
from components.types import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

_CONFIG = "/etc/caddy/site-proxy.json"


class SiteProxySettings(ServiceSettings):
    """The site proxy's block in a stack file: how soon a sick copy is noticed."""

    check_interval: Duration = Field(default="2s", description="Time between two questions to a copy's health path.")
    check_timeout: Duration = Field(default="5s", description="How long the answer to such a question may take.")
    patience: Duration = Field(
        default="1m0s", description="How long any other request may wait for the first byte of its answer."
    )
    public_edge: str = Field(
        default="",
        pattern=r"^(\d+\.\d+\.\d+\.\d+:\d+)?$",
        description="Address that stands for Cloudflare's network; only where a fleet is rehearsed.",
    )

    @property
    def timing(self) -> Timing:
        """The three durations."""
        return Timing(check_interval=self.check_interval, check_timeout=self.check_timeout, patience=self.patience)


class SiteProxy(Service):
    """Caddy, told of every copy of every shared site; see `components/edge/site_proxy.py`.

    Creates: the container `site-proxy`; its door for other hosts' proxies is published on the Tailscale address.
    Leaves out: the sites of one host, whose connector asks their container itself.
    """

    Settings = SiteProxySettings
    state = StateClass.STATELESS
    backup = Backup(disposable="its configuration is made from the stack files")
    secrets = {"key": Secret(purpose="what site proxies show each other at their public doors", shared=True)}

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        need = Need(service="site-proxy", port=TAILNET_PORT, reason="the other copies of shared sites", on_each=True)
        return (need,) if fleet.shared_sites else ()

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        settings: SiteProxySettings = args.settings
        host, sites = args.host.name, proxied_sites(args.fleet, args.host.name)

        def config(key: str) -> str:
            rendered = site_proxy_config(host, sites, settings.timing, key, settings.public_edge or None)
            return json.dumps(rendered, indent=1)

        container = self.container(
            name,
            ContainerArgs(
                image=settings.image,
                command=["caddy", "run", "--config", _CONFIG],
                env={"XDG_CONFIG_HOME": "/tmp", "XDG_DATA_HOME": "/tmp"},  # noqa: S108 - inside the container, which keeps nothing
                files={_CONFIG: File(content=self.secret("key").apply(config), private=True)},
                health=["wget", "-q", "--spider", f"http://127.0.0.1:{ALIVE_PORT}/"],
                memory=settings.memory,
                user="65534",
                # The image's program carries this capability; without it in reach the kernel refuses to start it.
                capabilities=["CAP_NET_BIND_SERVICE"],
                ports={port: port for port in args.fleet.ports_for_others(name)},
            ),
        )
        return {"container": container.name}


SERVICE = SiteProxy
