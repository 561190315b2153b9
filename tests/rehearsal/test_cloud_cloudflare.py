"""The simulated Cloudflare: what it takes, what it refuses and in which words."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.cloudflare import CLOUDFLARE
from rehearsal.cloud.cloudflare.dns import DnsRecord
from rehearsal.cloud.cloudflare.ingress import ingress_fault
from rehearsal.cloud.cloudflare.tunnel import TUNNEL_TOKEN, Tunnel, TunnelConfig
from rehearsal.cloud.wire import plain, secret_keys
from tests.rehearsal.cloud_world import ACCOUNT, CONNECT, DOMAIN, ZONE, Client, Refused, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUNNEL, CONFIG, RECORD = Tunnel.type_name, TunnelConfig.type_name, DnsRecord.type_name
CATCH_ALL = {"service": "http_status:404"}
OTHER = "f" * 32


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, CLOUDFLARE) as client:
        yield client


def tunnel_inputs(**changes: object) -> dict[str, Any]:
    return {"accountId": ACCOUNT, "name": "monk", "configSrc": "cloudflare", **changes}


def record_inputs(**changes: object) -> dict[str, Any]:
    content = "5d5f0b5e-0000-4000-8000-000000000000.cfargotunnel.com"
    given = {"zoneId": ZONE, "name": f"www.{DOMAIN}", "type": "CNAME", "content": content, "ttl": 1, "proxied": True}
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def config_inputs(tunnel_id: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"accountId": ACCOUNT, "tunnelId": tunnel_id, "config": {"ingresses": list(rules)}}


# Credentials


def test_a_token_is_needed(cloud: Client) -> None:
    with pytest.raises(
        Refused, match="needs an apiToken: set it with `pulumi config set --secret cloudflare:apiToken`"
    ):
        cloud.configure({})
    cloud.configure({"apiToken": "from-config"})


def test_a_token_from_the_environment_will_do(cloud: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "from-environment")
    cloud.configure({})


def test_a_token_is_never_logged(cloud: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    cloud.configure({"apiToken": "tell-nobody"})
    cloud.create(TUNNEL, tunnel_inputs())
    assert "created" in caplog.text
    assert "tell-nobody" not in caplog.text


# Tunnels


def test_a_tunnel_is_written_down_and_read_back(cloud: Client) -> None:
    tunnel_id, made = cloud.create(TUNNEL, tunnel_inputs())
    stored = cloud.store.view()["cloudflare"]["tunnels"][tunnel_id]
    assert {name: stored[name] for name in ("account_id", "name", "config_src")} == {
        "account_id": ACCOUNT,
        "name": "monk",
        "config_src": "cloudflare",
    }
    assert len(base64.b64decode(stored["secret"])) == 32
    assert made["status"] == "inactive"
    assert "tunnelSecret" not in made  # the API does not tell a secret it made itself
    assert cloud.read(TUNNEL, tunnel_id, tunnel_inputs(), made) == (tunnel_id, tunnel_inputs(), made)


def test_a_given_tunnel_secret_is_used_and_stays_secret(cloud: Client) -> None:
    given = base64.b64encode(b"x" * 32).decode()
    tunnel_id, made = cloud.create_raw(TUNNEL, tunnel_inputs(tunnelSecret=given))
    assert cloud.store.view()["cloudflare"]["tunnels"][tunnel_id]["secret"] == given
    assert "tunnelSecret" in secret_keys(made)


@pytest.mark.parametrize("bad", ["c2hvcnQ=", "not base64!" * 5])
def test_a_weak_tunnel_secret_is_refused(cloud: Client, bad: str) -> None:
    with pytest.raises(Refused, match=r"400 Bad Request.*at least 32 bytes, encoded as base64") as refused:
        cloud.create(TUNNEL, tunnel_inputs(tunnelSecret=bad))
    assert bad not in str(refused.value)


def test_a_second_tunnel_of_one_name_is_refused(cloud: Client) -> None:
    tunnel_id, made = cloud.create(TUNNEL, tunnel_inputs())
    with pytest.raises(Refused, match=r'409 Conflict.*"code": 1013.*You already have a tunnel with this name'):
        cloud.create(TUNNEL, tunnel_inputs())
    other_id, other = cloud.create(TUNNEL, tunnel_inputs(name="kscloud1"))
    with pytest.raises(Refused, match="409 Conflict"):
        cloud.update(TUNNEL, other_id, other, tunnel_inputs())
    cloud.delete(TUNNEL, tunnel_id, made)
    cloud.create(TUNNEL, tunnel_inputs())


def test_a_tunnel_without_a_name_is_refused(cloud: Client) -> None:
    with pytest.raises(Refused, match="a tunnel needs a name"):
        cloud.create(TUNNEL, tunnel_inputs(name=""))


def test_a_tunnel_is_renamed_in_place(cloud: Client) -> None:
    tunnel_id, made = cloud.create(TUNNEL, tunnel_inputs())
    cloud.update(TUNNEL, tunnel_id, made, tunnel_inputs(name="monk-2"))
    assert cloud.store.view()["cloudflare"]["tunnels"][tunnel_id]["name"] == "monk-2"
    assert cloud.diff(TUNNEL, tunnel_inputs(), tunnel_inputs(name="monk-2")) == (["name"], [])
    assert cloud.diff(TUNNEL, tunnel_inputs(), tunnel_inputs(configSrc="local")) == (["configSrc"], ["configSrc"])
    assert cloud.diff(TUNNEL, tunnel_inputs(), tunnel_inputs(accountId=OTHER)) == (["accountId"], ["accountId"])


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (OTHER, '403 Forbidden.*"code": 10000.*Authentication error'),
        ("kite", '404 Not Found.*"code": 7003.*identifier'),
    ],
)
def test_an_unknown_account_is_refused(cloud: Client, account: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        cloud.create(TUNNEL, tunnel_inputs(accountId=account))


def test_a_tunnel_with_connections_is_not_deleted(cloud: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.cloud.cloudflare.tunnel._DISCONNECT_SECONDS", 0)
    tunnel_id, made = cloud.create(TUNNEL, tunnel_inputs())
    connections = cloud.store.folder / "edge.connections.json"
    connections.write_text(json.dumps({tunnel_id: 4}), encoding="utf-8")
    with pytest.raises(
        Refused, match='"code": 1022, "message": "Cannot delete tunnel because it has active connections'
    ):
        cloud.delete(TUNNEL, tunnel_id, made)
    assert tunnel_id in cloud.store.view()["cloudflare"]["tunnels"]
    connections.write_text(json.dumps({tunnel_id: 0}), encoding="utf-8")
    cloud.delete(TUNNEL, tunnel_id, made)
    assert cloud.store.view()["cloudflare"]["tunnels"] == {}


def test_connections_that_are_just_ending_are_waited_for(cloud: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tunnel_id, made = cloud.create(TUNNEL, tunnel_inputs())
    connections = cloud.store.folder / "edge.connections.json"
    connections.write_text(json.dumps({tunnel_id: 4}), encoding="utf-8")
    monkeypatch.setattr(
        "rehearsal.cloud.cloudflare.tunnel.time.sleep", lambda _: connections.write_text("{}", encoding="utf-8")
    )
    cloud.delete(TUNNEL, tunnel_id, made)
    assert cloud.store.view()["cloudflare"]["tunnels"] == {}


def test_a_tunnel_is_imported_by_account_and_id(cloud: Client) -> None:
    tunnel_id, _ = cloud.create(TUNNEL, tunnel_inputs())
    found_id, inputs, outputs = cloud.read(TUNNEL, f"{ACCOUNT}/{tunnel_id}", {}, {})
    assert (found_id, inputs) == (tunnel_id, tunnel_inputs())
    assert outputs["tunType"] == "cfd_tunnel"
    assert cloud.read(TUNNEL, f"{ACCOUNT}/no-such-tunnel", {}, {}) == ("", {}, {})


# Tokens


def test_a_token_says_where_to_dial_and_is_secret(cloud: Client) -> None:
    tunnel_id, _ = cloud.create(TUNNEL, tunnel_inputs())
    answer = cloud.invoke(TUNNEL_TOKEN.name, {"accountId": ACCOUNT, "tunnelId": tunnel_id})
    assert secret_keys(answer) == {"token"}
    stored = cloud.store.view()["cloudflare"]["tunnels"][tunnel_id]["secret"]
    token = json.loads(base64.b64decode(plain(answer)["token"]))
    assert token == {"a": ACCOUNT, "t": tunnel_id, "s": stored, "e": CONNECT}


def test_a_token_for_no_tunnel_is_refused(cloud: Client) -> None:
    with pytest.raises(Refused, match=r"404 Not Found.*Tunnel not found"):
        cloud.invoke(TUNNEL_TOKEN.name, {"accountId": ACCOUNT, "tunnelId": "nowhere"})
    with pytest.raises(Refused, match="403 Forbidden"):
        cloud.invoke(TUNNEL_TOKEN.name, {"accountId": OTHER, "tunnelId": "nowhere"})


# Ingress


def test_an_ingress_is_written_whole_and_read_back(cloud: Client) -> None:
    tunnel_id, _ = cloud.create(TUNNEL, tunnel_inputs())
    origin = {"httpHostHeader": "inside", "http2Origin": True, "matchSnItoHost": False}
    inputs = config_inputs(
        tunnel_id, {"hostname": f"www.{DOMAIN}", "service": "http://portal:80", "originRequest": origin}, CATCH_ALL
    )
    config_id, made = cloud.create(CONFIG, inputs)
    assert (config_id, made["version"]) == (tunnel_id, 1)
    stored = cloud.store.view()["cloudflare"]["tunnel_configs"][tunnel_id]
    assert stored["ingresses"] == [
        {
            "hostname": f"www.{DOMAIN}",
            "service": "http://portal:80",
            "origin_request": {"http_host_header": "inside", "http2_origin": True, "match_sn_ito_host": False},
        },
        CATCH_ALL,
    ]
    assert cloud.read(CONFIG, tunnel_id, inputs, made) == (tunnel_id, inputs, made)
    assert cloud.read(CONFIG, f"{ACCOUNT}/{tunnel_id}", {}, {})[1]["config"] == inputs["config"]
    assert cloud.update(CONFIG, tunnel_id, made, config_inputs(tunnel_id, CATCH_ALL))["version"] == 2
    assert cloud.store.view()["cloudflare"]["tunnel_configs"][tunnel_id]["ingresses"] == [CATCH_ALL]


def test_an_ingress_outlives_its_deletion_but_not_its_tunnel(cloud: Client) -> None:
    tunnel_id, tunnel_made = cloud.create(TUNNEL, tunnel_inputs())
    _, made = cloud.create(CONFIG, config_inputs(tunnel_id, CATCH_ALL))
    cloud.delete(CONFIG, tunnel_id, made)
    assert tunnel_id in cloud.store.view()["cloudflare"]["tunnel_configs"]
    cloud.delete(TUNNEL, tunnel_id, tunnel_made)
    assert cloud.store.view()["cloudflare"]["tunnel_configs"] == {}


def test_an_ingress_for_no_tunnel_is_refused(cloud: Client) -> None:
    with pytest.raises(Refused, match=r"PUT .*404 Not Found.*Tunnel not found"):
        cloud.create(CONFIG, config_inputs("nowhere", CATCH_ALL))
    assert cloud.store.view()["cloudflare"]["tunnel_configs"] == {}


def test_a_bad_ingress_is_refused_and_the_old_one_stays(cloud: Client) -> None:
    tunnel_id, _ = cloud.create(TUNNEL, tunnel_inputs())
    _, made = cloud.create(CONFIG, config_inputs(tunnel_id, CATCH_ALL))
    bad = config_inputs(tunnel_id, {"hostname": f"www.{DOMAIN}", "service": "http://portal:80"})
    words = '400 Bad Request.*"code": 1056.*Bad Configuration.*last ingress rule must match all.*ingress of tunnel monk'
    with pytest.raises(Refused, match=words):
        cloud.update(CONFIG, tunnel_id, made, bad)
    assert cloud.store.view()["cloudflare"]["tunnel_configs"][tunnel_id]["ingresses"] == [CATCH_ALL]


def rule(hostname: str = "", service: str = "http://portal:80", path: str = "") -> dict[str, Any]:
    given = {"hostname": hostname, "service": service, "path": path}
    return {name: value for name, value in given.items() if value}


@pytest.mark.parametrize(
    "rules",
    [
        [CATCH_ALL],
        [{"hostname": "*", "service": "http://proxy:80"}],
        [rule("www.a.b"), CATCH_ALL],
        [rule("*.a.b", "https://proxy:443"), CATCH_ALL],
        [rule("www.a.b", path="/api"), rule("www.a.b"), CATCH_ALL],
        [rule("a.b", "tcp://db:5432"), rule("c.b", "unix:/run/x.sock"), rule("d.b", "hello_world"), CATCH_ALL],
        [rule(path="/health"), CATCH_ALL],
    ],
)
def test_a_good_ingress(rules: list[dict[str, Any]]) -> None:
    assert ingress_fault(rules) is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "last ingress rule must match all URLs"),
        ([rule("www.a.b")], "last ingress rule must match all URLs"),
        ([rule(path="/x")], "last ingress rule must match all URLs"),
        ([CATCH_ALL, rule("www.a.b")], "last ingress rule must match all URLs"),
        ([rule("www.a.b"), CATCH_ALL, rule("c.a.b"), CATCH_ALL], "Rule #2 is matching the hostname ''"),
        ([rule("www.a.b"), rule("WWW.a.b"), CATCH_ALL], "www.a.b is in rule #1 and again in rule #2"),
        ([rule("www.a.b:80"), CATCH_ALL], "Hostname cannot contain a port"),
        ([rule("w*.a.b"), CATCH_ALL], "at most one wildcard"),
        ([rule("www.a.b", "portal:80"), CATCH_ALL], "portal:80 is an invalid address.*rule #1"),
        ([rule("www.a.b", "ftp://portal"), CATCH_ALL], "ftp://portal is an invalid address"),
        ([rule("www.a.b", "http://portal/path"), CATCH_ALL], "http://portal/path is an invalid address"),
        ([{"hostname": "www.a.b"}, CATCH_ALL], "an empty service is an invalid address"),
        ([{"service": "http_status:9"}], "http_status:9 is an invalid address"),
    ],
)
def test_a_bad_ingress(rules: list[dict[str, Any]], words: str) -> None:
    fault = ingress_fault(rules)
    assert fault is not None
    assert re.search(words, fault)


# DNS records


def test_a_record_is_written_down_and_read_back(cloud: Client) -> None:
    inputs = record_inputs(comment="portal")
    record_id, made = cloud.create(RECORD, inputs)
    stored = cloud.store.view()["cloudflare"]["dns_records"][record_id]
    wanted = {"zone_id": ZONE, "name": f"www.{DOMAIN}", "type": "CNAME", "proxied": True, "ttl": 1, "comment": "portal"}
    assert {name: stored[name] for name in wanted} == wanted
    assert made["proxiable"] is True
    assert cloud.read(RECORD, record_id, inputs, made) == (record_id, inputs, made)
    assert cloud.read(RECORD, f"{ZONE}/{record_id}", {}, {})[1]["name"] == f"www.{DOMAIN}"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("www", f"www.{DOMAIN}"), ("@", DOMAIN), (f"WWW.{DOMAIN}.", f"www.{DOMAIN}"), (f"*.{DOMAIN}", f"*.{DOMAIN}")],
)
def test_a_short_name_is_completed_and_does_not_drift(cloud: Client, written: str, kept: str) -> None:
    inputs = record_inputs(name=written)
    record_id, made = cloud.create(RECORD, inputs)
    assert cloud.store.view()["cloudflare"]["dns_records"][record_id]["name"] == kept
    assert cloud.read(RECORD, record_id, inputs, made)[1] == inputs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "www.example.org"}, '"code": 9000.*www.example.org is not in the zone kitestacks.com'),
        ({"name": "notkitestacks.com"}, "notkitestacks.com is not in the zone"),
        ({"name": "a b"}, "DNS name is invalid"),
        ({"ttl": 300}, "ttl must be set to 1 when `proxied` is true, not 300"),
        ({"proxied": False, "ttl": 59}, '"code": 9021.*TTL must be between 60 and 86400 seconds, or 1 for Automatic'),
        ({"proxied": False, "ttl": 86401}, '"code": 9021'),
        ({"type": "TXT", "content": "x"}, '"code": 9041'),
        ({"type": "A", "content": "1.2.3"}, '"code": 9005'),
        ({"type": "A", "content": None}, '"code": 9005'),
        ({"type": "AAAA", "content": "1.2.3.4"}, '"code": 9006'),
        ({"content": "no host"}, '"code": 9007'),
        ({"zoneId": OTHER}, '403 Forbidden.*"code": 10000'),
        ({"zoneId": DOMAIN}, '404 Not Found.*"code": 7003'),
    ],
)
def test_a_bad_record_is_refused(cloud: Client, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        cloud.create(RECORD, record_inputs(**changes))
    assert cloud.store.view()["cloudflare"]["dns_records"] == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"proxied": False, "ttl": 60},
        {"proxied": None, "ttl": 86400},
        {"proxied": False, "ttl": 1},
        {"type": "A", "content": "192.0.2.1"},
        {"type": "AAAA", "content": "2001:db8::1"},
        {"type": "TXT", "content": "anything at all", "proxied": False},
        {"content": "ffffffff-0000-4000-8000-000000000000.cfargotunnel.com"},
    ],
)
def test_a_good_record_is_taken(cloud: Client, changes: dict[str, Any]) -> None:
    cloud.create(RECORD, record_inputs(**changes))


A = {"type": "A", "content": "192.0.2.1"}
TXT = {"type": "TXT", "content": "hello", "proxied": False}


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ({}, {}, 81053),
        ({}, {"content": "elsewhere.example.org"}, 81053),
        (A, {}, 81053),
        ({}, A, 81054),
        (A, A, 81058),
        (TXT, TXT, 81058),
    ],
)
def test_a_record_in_the_way_is_named(cloud: Client, first: dict[str, Any], second: dict[str, Any], code: int) -> None:
    cloud.create(RECORD, record_inputs(**first))
    with pytest.raises(Refused, match=rf'400 Bad Request.*"code": {code}.*already exists'):
        cloud.create(RECORD, record_inputs(**second))


@pytest.mark.parametrize(
    ("first", "second"),
    [({}, {"name": "wiki"}), (A, {**A, "content": "192.0.2.2"}), (TXT, {}), (A, {"type": "AAAA", "content": "::1"})],
)
def test_records_that_can_live_together(cloud: Client, first: dict[str, Any], second: dict[str, Any]) -> None:
    cloud.create(RECORD, record_inputs(**first))
    cloud.create(RECORD, record_inputs(**second))


def test_a_record_is_changed_in_place_and_checked_again(cloud: Client) -> None:
    record_id, made = cloud.create(RECORD, record_inputs())
    cloud.update(RECORD, record_id, made, record_inputs(comment="new"))
    assert cloud.store.view()["cloudflare"]["dns_records"][record_id]["comment"] == "new"
    with pytest.raises(Refused, match="ttl must be set to 1"):
        cloud.update(RECORD, record_id, made, record_inputs(ttl=60))
    cloud.delete(RECORD, record_id, made)
    with pytest.raises(Refused, match=r'404 Not Found.*"code": 81044'):
        cloud.update(RECORD, record_id, made, record_inputs(comment="newer"))


def test_which_changes_replace_a_record(cloud: Client) -> None:
    assert cloud.diff(RECORD, record_inputs(), record_inputs(name="wiki", content="a.b.cc")) == (
        ["content", "name"],
        [],
    )
    assert cloud.diff(RECORD, record_inputs(), record_inputs(**A))[1] == ["type"]
    assert cloud.diff(RECORD, record_inputs(), record_inputs(zoneId=OTHER))[1] == ["zoneId"]
