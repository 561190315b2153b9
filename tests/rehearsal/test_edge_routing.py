"""Routing: names, records, ingress rules, and the file that they come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.edge.cloud import Cloud, CloudFile, Rule
from rehearsal.edge.faults import FaultError
from rehearsal.edge.routing import find_route, local_name, public_name
from rehearsal.edge.token import Token, TokenError
from tests.rehearsal.edge_world import EMPTY, MONK, SHARED, WWW, ZONE, cloud_of, token_of

if TYPE_CHECKING:
    from pathlib import Path

ZONES = [ZONE, "example.org"]


def cloud(**changes: Any) -> Cloud:  # noqa: ANN401 - JSON
    written = cloud_of()
    written["cloudflare"].update(changes)
    return Cloud.model_validate(written)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (WWW, WWW),
        ("WWW.KiteStacks.com.", WWW),
        (f"{WWW}:8080", WWW),
        ("www.kitestacks.localhost", WWW),
        ("www.kitestacks.localhost:8080", WWW),
        ("a.b.kitestacks.localhost:8080", f"a.b.{ZONE}"),
        ("kitestacks.localhost", ZONE),
        ("www.example.localhost", "www.example.org"),
        ("www.elsewhere.localhost", "www.elsewhere.localhost"),
        ("localhost", "localhost"),
        ("", ""),
        ("[::1]:8080", "[::1]"),
    ],
)
def test_the_name_behind_a_host_header(host: str, name: str) -> None:
    assert public_name(host, ZONES) == name


def test_local_names_lead_back() -> None:
    for name in (WWW, ZONE, f"a.b.{ZONE}", "www.example.org"):
        assert public_name(local_name(name, ZONES), ZONES) == name
    assert local_name("notkitestacks.com", ZONES) == "notkitestacks.com"


def test_the_way_of_a_request() -> None:
    route = find_route(cloud(), WWW, "/")
    assert (route.tunnel_id, route.tunnel.name, route.rule.service) == (SHARED, "shared", "http://portal:80")
    assert route.own_status is None
    assert find_route(cloud(), f"notes.{ZONE}", "/").own_status == 404


@pytest.mark.parametrize(
    ("name", "status", "code", "words"),
    [
        ("nobody", 404, 1001, f"no DNS record for nobody.{ZONE}"),
        ("mail", 530, 1016, "leads to 192.0.2.1, which is not a proxied tunnel"),
        ("left", 530, 1016, "leads to tunnel gone, which does not exist"),
        ("bare", 503, 503, "tunnel empty has no ingress rules"),
    ],
)
def test_where_the_way_ends(name: str, status: int, code: int, words: str) -> None:
    with pytest.raises(FaultError) as fault:
        find_route(cloud(), f"{name}.{ZONE}", "/")
    assert (fault.value.status, fault.value.code) == (status, code)
    assert words in fault.value.text


def test_an_unproxied_record_is_no_way() -> None:
    records = cloud_of()["cloudflare"]["dns_records"]
    records["www"]["proxied"] = False
    with pytest.raises(FaultError) as fault:
        find_route(cloud(dns_records=records), WWW, "/")
    assert fault.value.code == 1016


def test_the_exact_record_wins_over_wildcards_and_the_closest_wildcard_over_others() -> None:
    def to(name: str, tunnel_id: str) -> dict[str, Any]:
        return {"name": name, "type": "CNAME", "content": f"{tunnel_id}.cfargotunnel.com", "proxied": True}

    rules = {tunnel_id: {"ingresses": [{"service": "http_status:404"}]} for tunnel_id in (SHARED, MONK, EMPTY)}
    records = {"1": to(f"*.{ZONE}", SHARED), "2": to(f"*.lab.{ZONE}", MONK), "3": to(f"a.lab.{ZONE}", EMPTY)}
    found = cloud(dns_records=records, tunnel_configs=rules)
    assert find_route(found, f"a.lab.{ZONE}", "/").tunnel_id == EMPTY
    assert find_route(found, f"b.lab.{ZONE}", "/").tunnel_id == MONK
    assert find_route(found, f"b.{ZONE}", "/").tunnel_id == SHARED
    with pytest.raises(FaultError):
        find_route(found, ZONE, "/")


@pytest.mark.parametrize(
    ("rule", "hostname", "path", "takes"),
    [
        ({}, WWW, "/", True),
        ({"hostname": ""}, WWW, "/", True),
        ({"hostname": "*"}, WWW, "/", True),
        ({"hostname": WWW}, WWW, "/", True),
        ({"hostname": WWW}, f"x.{WWW}", "/", False),
        ({"hostname": f"*.{ZONE}"}, WWW, "/", True),
        ({"hostname": f"*.{ZONE}"}, f"x.{WWW}", "/", True),
        ({"hostname": f"*.{ZONE}"}, ZONE, "/", False),
        ({"hostname": f"*.{ZONE}"}, "www.notkitestacks.com", "/", False),
        ({"path": "^/api"}, WWW, "/api/x", True),
        ({"path": "^/api"}, WWW, "/x/api", False),
        ({"path": r"\.(jpg|png)$"}, WWW, "/a.png", True),
        ({"hostname": WWW, "path": "x"}, ZONE, "/x", False),
    ],
)
def test_which_requests_a_rule_takes(rule: dict[str, str], hostname: str, path: str, takes: bool) -> None:
    assert Rule.model_validate({"service": "http://a:80", **rule}).takes(hostname, path) is takes


def test_error_pages_show_hostile_names_as_text() -> None:
    with pytest.raises(FaultError) as fault:
        find_route(cloud(), "<script>alert(1)</script>", "/")
    page = fault.value.page("<script>alert(1)</script>")
    assert "<script>" not in str(page.text)
    assert (page.status, page.headers["X-Rehearsal-Fault"]) == (404, "1001")


def test_the_file_is_read_again_when_it_changes_and_passed_over_when_it_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cloud.json"
    file = CloudFile(path)
    assert file.read() == Cloud()
    written = cloud_of()
    path.write_text(json.dumps(written), encoding="utf-8")
    first = file.read()
    assert first.cloudflare.tunnels[SHARED].name == "shared"
    assert file.read() is first
    for broken in ("{", '{"cloudflare": []}'):
        path.write_text(broken, encoding="utf-8")
        assert file.read() is first
        assert file.read() is first
    assert caplog.text.count("the last good state stays in use") == 2
    written["cloudflare"]["tunnels"][SHARED]["name"] = "renamed"
    path.write_text(json.dumps(written), encoding="utf-8")
    assert file.read().cloudflare.tunnels[SHARED].name == "renamed"
    path.unlink()
    assert file.read() == Cloud()


def test_a_broken_file_does_not_put_secrets_into_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cloud.json"
    written = cloud_of()
    written["cloudflare"]["tunnels"][SHARED] = {"name": ["x"], "secret": "do-not-show"}
    path.write_text(json.dumps(written), encoding="utf-8")
    CloudFile(path).read()
    assert "can't be read" in caplog.text
    assert "do-not-show" not in caplog.text


def test_a_good_token_opens_its_tunnel() -> None:
    token = Token.read(f" {token_of()}\n")
    token.check(cloud())
    assert token.tunnel_id == SHARED


@pytest.mark.parametrize("text", ["", "x", "!!!", "e30=", "W10=", "bm8="])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError, match="not a tunnel token"):
        Token.read(text)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (token_of("other"), "there is no tunnel other"),
        (token_of(key="d3Jvbmc="), "the secret is not that of the tunnel shared"),
        (token_of(account="other"), "belongs to another account"),
    ],
)
def test_a_token_of_another_cloud_is_refused(token: str, reason: str) -> None:
    with pytest.raises(TokenError, match=reason) as refusal:
        Token.read(token).check(cloud())
    assert "d3Jvbmc=" not in str(refusal.value)
