"""The simulated Cloudflare refuses through `pulumi up` what the real API refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.small_program import SmallProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
A, Z = "{account}", "{zone}"
def make(kind, label, /, **inputs):
    low = kind[0].lower() + kind[1:]
    pulumi.CustomResource(f"cloudflare:index/{{low}}:{{kind}}", label, inputs, pulumi.ResourceOptions(version="6.23.1"))
def record(name, hostname, **more):
    make("DnsRecord", name, **({{"zoneId": Z, "name": hostname, "type": "CNAME", "content": "x.cfargotunnel.com",
         "ttl": 1, "proxied": True}} | more))
def tunnel(name, called):
    make("ZeroTrustTunnelCloudflared", name, accountId=A, name=called, configSrc="cloudflare")
def ingress(tunnel_id, *rules):
    config = {{"ingresses": list(rules)}}
    make("ZeroTrustTunnelCloudflaredConfig", "rules", accountId=A, tunnelId=tunnel_id, config=config)
"""

CASES = [
    ("name outside the zone", 'record("r", "www.example.org")', "is not in the zone kitestacks.com"),
    ("proxied with a TTL", 'record("r", "a.kitestacks.com", ttl=300)', "ttl must be set to 1 when `proxied` is true"),
    ("TTL too short", 'record("r", "a.kitestacks.com", proxied=False, ttl=5)', "TTL must be between 60 and 86400"),
    ("unknown zone", 'record("r", "a.kitestacks.com", zoneId="0" * 32)', "Authentication error"),
    (
        "duplicate record",
        'record("r", "a.kitestacks.com")\nrecord("s", "a.kitestacks.com")',
        "An A, AAAA, or CNAME record with that host already exists",
    ),
    ("second tunnel of one name", 'tunnel("t", "monk")\ntunnel("u", "monk")', "409 Conflict"),
    (
        "ingress for a tunnel that does not exist",
        'ingress("00000000-0000-4000-8000-000000000000", {"service": "http_status:404"})',
        "404 Not Found",
    ),
    (
        "ingress without a catch-all",
        'ingress(TUNNEL, {"hostname": "a.kitestacks.com", "service": "http://a:80"})',
        "The last ingress rule must match all URLs",
    ),
    (
        "catch-all before the end",
        'ingress(TUNNEL, {"service": "http_status:404"}, {"hostname": "a.kitestacks.com", "service": "http://a:80"})',
        "The last ingress rule must match all URLs",
    ),
    ("type that is not simulated", 'make("Ruleset", "r", zoneId=Z)', "is not simulated"),
    ("unknown property", 'record("r", "a.kitestacks.com", vlaue="x")', "vlaue"),
]


@pytest.fixture(scope="module")
def small(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallProgram]:
    """A project that speaks to the simulated Cloudflare of a deployed foundation."""
    lab.up("kscloud1")
    opened = SmallProgram.open(lab, tmp_path_factory.mktemp("small"), "cloudflare:apiToken")
    yield opened
    opened.close()


@pytest.mark.parametrize(("program", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refused_through_up(program: str, words: str, small: SmallProgram) -> None:
    existing = next(iter(small.lab.cloud()["cloudflare"]["tunnels"]))

    status, output = small.up(f'{_prelude(small)}TUNNEL = "{existing}"\n{program}')

    assert status != 0
    assert words in output


def test_the_same_program_without_a_fault_is_accepted(small: SmallProgram) -> None:
    """Refusals would prove nothing if everything were refused."""
    status, output = small.up(f'{_prelude(small)}record("r", "fine.kitestacks.com")\ntunnel("t", "attic")')

    assert status == 0, output


def _prelude(small: SmallProgram) -> str:
    return PROGRAM.format(account=small.lab.twin.account_id, zone=small.lab.twin.zone_id)
