"""The table of stack files that must be refused: what is broken, and every word that has to be said about it.

Used twice: under mocks, and on the real engine through `pulumi preview`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

REMOVED = None


@dataclass(frozen=True)
class Refusal:
    """One way to break the real stack files.

    Attributes:
        id: What is wrong, as a sentence.
        edits: Stack, dotted path and value of each edit.
        says: Parts of the message: path, rule, value, way out.
        stack: The stack that is previewed.
        hosts: Hosts added before the edits.
    """

    id: str
    edits: tuple[tuple[str, str, Any], ...]
    says: tuple[str, ...]
    stack: str = "monk"
    hosts: tuple[str, ...] = field(default=())

    def apply(self, files: StackFiles) -> None:
        """Breaks the files."""
        for host in self.hosts:
            files.add_host(host)
        for stack, path, value in self.edits:
            files.edit(stack, path, value)


def _one(name: str, path: str, value: Any, *says: str, stack: str = "monk") -> Refusal:  # noqa: ANN401
    return Refusal(name, ((stack, path, value),), (f"{path}: ", *says), stack)


REFUSALS = [
    _one("unknown key of a host", "host.dokcer", "unix:///x", "is an unknown key", "did you mean docker?"),
    _one("unknown key of a site", "services.portal.site.hostnam", "x", "is an unknown key", "did you mean hostname?"),
    _one("unknown section", "servces", {}, "is an unknown key", "did you mean services?"),
    _one(
        "unknown service",
        "services.portl",
        {"image": "caddy:1"},
        "is not a service this program knows",
        "did you mean portal?",
    ),
    _one("unlike any service", "services.zzz", {}, "is not a service", "known: authentik, "),
    _one(
        "camel case instead of kebab",
        "host.tailscaleAddress",
        "100.64.0.1",
        "is an unknown key",
        "did you mean tailscale-address?",
    ),
    _one("missing image", "services.portal.image", REMOVED, "must be set"),
    _one("missing Docker endpoint", "host.docker", REMOVED, "must be set"),
    _one(
        "image without a tag",
        "services.portal.image",
        "caddy",
        "must name a tag or a digest, got 'caddy'",
        "for example caddy:2.11.4-alpine",
    ),
    _one("image with the tag latest", "services.portal.image", "caddy:latest", "must be pinned", "got 'caddy:latest'"),
    _one("image with a blank", "services.portal.image", "caddy :2", "must be an image reference, got 'caddy :2'"),
    _one("image of a wrong type", "services.portal.image", 2, "must be a valid string, got 2"),
    _one(
        "number as memory",
        "services.portal.memory",
        "256",
        "must be a size in MiB or GiB, got '256'",
        "for example 256MiB",
    ),
    _one(
        "list instead of a block",
        "services.portal",
        ["caddy:1"],
        "must be a block of keys and values",
        "got ['caddy:1']",
    ),
    _one("no memory at all", "services.portal.memory", "0MiB", "must be at least 6MiB", "got '0MiB'"),
    _one("word instead of a block", "host", "monk", "must be a block of keys and values, got 'monk'"),
    _one("relative root", "host.root", "disk", "must be / or an absolute path", "got 'disk'"),
    _one(
        "bad host name",
        "services.portal.site.hostname",
        "www_kitestacks.com",
        "must be a full host name",
        "got 'www_kitestacks.com'",
        "for example www.kitestacks.com",
    ),
    _one(
        "host name with a scheme",
        "services.portal.site.hostname",
        "https://www.kitestacks.com",
        "must be a full host name",
    ),
    _one("word as truth value", "services.portal.site.public", "perhaps", "must be a valid boolean", "got 'perhaps'"),
    _one(
        "port on a public address",
        "host.tailscale-address",
        "203.0.113.7",
        "must be a Tailscale (100.64.0.0/10) or loopback address",
        "got '203.0.113.7'",
        "tailscale ip -4",
    ),
    _one("port on all addresses", "host.tailscale-address", "0.0.0.0", "must be a Tailscale", "got '0.0.0.0'"),
    _one("no address at all", "host.tailscale-address", "monk", "must be an IP address, got 'monk'"),
    _one(
        "Docker over plain TCP",
        "host.docker",
        "tcp://monk:2375",
        "must be a Docker endpoint",
        "got 'tcp://monk:2375'",
        "for example ssh://kite@kscloud1",
    ),
    _one(
        "data path with a tilde",
        "host.data",
        "~/kitestacks-live",
        "must be an absolute path",
        "got '~/kitestacks-live'",
    ),
    _one("duration without a unit", "host.start-timeout", "90", "must be a duration", "got '90'", "for example 1m30s"),
    _one("duration of zero", "host.health-interval", "0s", "must be a duration above zero"),
    _one(
        "unknown failover mode",
        "edge.failover",
        "dns-switch",
        "must be 'replicas' or 'load-balancer'",
        "got 'dns-switch'",
        stack="kscloud1",
    ),
    _one(
        "account id of a wrong form",
        "cloudflare-account-id",
        "my-account",
        "must be 32 hexadecimal digits, got 'my-account'",
        stack="kscloud1",
    ),
    _one(
        "mirror to an unpinned image",
        "images",
        {"caddy:2.11.4-alpine": "mirror.local/caddy"},
        "must name a tag or a digest, got 'mirror.local/caddy'",
    ),
    Refusal(
        "same hostname for two services",
        (("monk", "services.node-exporter.site", {"hostname": "www.kitestacks.com", "shared": True, "public": True}),),
        ("must belong to one service, got 'www.kitestacks.com' in services.", "give each its own hostname"),
    ),
    Refusal(
        "site outside the zone",
        (("monk", "services.portal.site.hostname", "www.example.org"),),
        (
            "services.portal.site.hostname: must lie in the zone kitestacks.com, got 'www.example.org'",
            "for example www.kitestacks.com",
        ),
    ),
    Refusal(
        "site on two hosts that only one shares",
        (("monk", "services.portal.site.shared", REMOVED),),
        (
            "services.portal.site.shared: must be true in every file that has 'www.kitestacks.com'",
            "write `shared: true` in each",
        ),
    ),
    Refusal(
        "shared site on one host",
        (("kscloud1", "services.portal", REMOVED),),
        ("services.portal.site.shared: must be false: 'www.kitestacks.com' stands on monk alone",),
    ),
    Refusal(
        "site that nobody called public",
        (("monk", "services.portal.site.public", REMOVED),),
        ("services.portal.site.public: must be true: portal has no login of its own", "write `public: true`"),
    ),
    Refusal(
        "site of a service that answers nobody",
        (("monk", "services.node-exporter.site", {"hostname": "node.kitestacks.com", "public": True}),),
        ("services.node-exporter.site: must be left out: node-exporter answers no visitors",),
    ),
    Refusal(
        "site without a connector",
        (("monk", "services.cloudflared", REMOVED),),
        (
            "services: must have cloudflared: without a connector on monk nobody reaches www.kitestacks.com",
            "add `cloudflared:",
        ),
    ),
    Refusal(
        "two foundations",
        (("monk", "edge", {"domain": "kitestacks.com"}),),
        (
            "edge: must stand in the file of exactly one host, got it in those of monk and kscloud1",
            "keep it in one file",
        ),
    ),
    Refusal(
        "no foundation",
        (("kscloud1", "edge", REMOVED),),
        ("edge: must stand in the file of exactly one host, the foundation, and stands in none",),
    ),
    Refusal(
        "two hosts with one address",
        (("monk", "host.tailscale-address", "100.64.0.2"),),
        ("host.tailscale-address: must be the host's own, got '1", ".2' for monk and kscloud1", "`tailscale ip -4`"),
    ),
    Refusal(
        "two hostnames for one login",
        (
            (
                "kscloud1",
                "services.bookstack",
                {
                    "image": "bookstack:1",
                    "database-image": "mariadb:1",
                    "data": "manual",
                    "site": {"hostname": "wiki2.kitestacks.com"},
                },
            ),
            ("monk", "services.bookstack.data", "manual"),
        ),
        (
            "services.bookstack.site.hostname: must be the same on every host: bookstack has one login",
            "got wiki.kitestacks.com and wiki2.kitestacks.com",
            "write `shared: true` in each file",
        ),
    ),
    Refusal(
        "a wiki that is read-only for one host alone",
        (("monk", "services.bookstack.data", "read-only"),),
        (
            "services.bookstack.data: must be the same in every file, got 'read-only' on monk and 'ring' on kscloud1",
            "for example `data: read-only` in each",
        ),
    ),
    Refusal(
        "a wiki that is copied by one host alone",
        (("monk", "services.bookstack.data", "copy"), ("kscloud1", "services.bookstack.data", "read-only")),
        (
            "services.bookstack.data: must be the same in every file, got 'copy' on monk and 'read-only' on kscloud1",
            "for example `data: copy` in each",
        ),
    ),
    Refusal(
        "copies of a service that has no such way",
        (("monk", "services.portal.data", "copy"),),
        ("services.portal.data: must be left out: portal is stateless",),
    ),
    _one(
        "time between copies without a unit",
        "services.bookstack.copy-every",
        "15",
        "must be a duration above zero, in h, m and s, got '15'",
        "for example 1m30s",
    ),
    Refusal(
        "a way for the data that there is not",
        (("monk", "services.bookstack.data", "mirror"),),
        ("services.bookstack.data: must be 'copy', 'manual', 'read-only' or 'ring'", "got 'mirror'"),
    ),
    Refusal(
        "a third host for data that goes by itself",
        (
            ("attic", "services.site-proxy", {"image": "caddy:2.11.4-alpine"}),
            (
                "attic",
                "services.bookstack",
                {
                    "image": "bookstack:1",
                    "database-image": "mariadb:1",
                    "data": "read-only",
                    "site": {"hostname": "wiki.kitestacks.com", "shared": True, "primary": "monk"},
                },
            ),
            ("monk", "services.bookstack.data", "read-only"),
            ("kscloud1", "services.bookstack.data", "read-only"),
        ),
        ("services.bookstack.data: must stand on 2 hosts for `data: read-only`, got ",),
        hosts=("attic",),
    ),
    Refusal(
        "more groups for a site than there are places",
        (("monk", "services.bookstack.site.groups", ["a", "b", "c", "d", "e", "f"]),),
        ("services.bookstack.site.groups: must have at most 5 items, got ['a', 'b'",),
    ),
    Refusal(
        "fault in the other host's file",
        (("kscloud1", "services.portal.image", "caddy"),),
        ("Pulumi.kscloud1.yaml: services.portal.image: must name a tag or a digest, got 'caddy'",),
    ),
    Refusal(
        "a host that the foundation does not know yet",
        (),
        ("stack attic needs kscloud1, which", "run `pulumi up -s kscloud1` first"),
        stack="attic",
        hosts=("attic",),
    ),
    Refusal(
        "several faults at once",
        (("monk", "services.portal.image", "caddy"), ("monk", "host.docker", "tcp://x"), ("monk", "host.data", "~")),
        ("3 faults", "services.portal.image: ", "host.docker: ", "host.data: "),
    ),
]
