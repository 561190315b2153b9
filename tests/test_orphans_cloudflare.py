"""What Cloudflare has of ours and no stack knows, asked of a server that answers like the API."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kitestacks.exits import CommandError
from kitestacks.orphans_cloudflare import RealCloud, RehearsedCloud, find
from kitestacks.stack_state import StackState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMENT = "managed by Pulumi for kitestacks"
ACCOUNT, ZONE = "a" * 32, "b" * 32
TUNNELS = [
    {"id": "t-known", "name": "kitestacks-monk"},
    {"id": "t-lost", "name": "kitestacks-kscloud1"},
    {"id": "t-foreign", "name": "somebody-else"},
    {"id": "t-test", "name": "kitestacks-test-monk"},
]
RECORDS = [
    {"id": "r-known", "name": "www.kitestacks.com", "comment": COMMENT},
    {"id": "r-lost", "name": "git.kitestacks.com", "comment": COMMENT},
    {"id": "r-foreign", "name": "mail.kitestacks.com", "comment": "by hand"},
    {"id": "r-test", "name": "test.kitestacks.com", "comment": "managed by Pulumi for kitestacks-test"},
    {"id": "r-bare", "name": "kitestacks.com"},
]


def state(**config: str) -> StackState:
    ids = {"kitestacks:cloudflare-account-id": ACCOUNT, "kitestacks:cloudflare-zone-id": ZONE}
    recorded = frozenset({"t-known", "r-known"})
    return StackState(stack="kscloud1", stacks=("kscloud1", "monk"), config=ids | config, recorded=recorded)


class _Api(http.server.BaseHTTPRequestHandler):
    removed: ClassVar[list[str]] = []
    balancing: ClassVar[dict[str, Any]] = {}
    """Nothing: the token may not look at it."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self._answer(
            {f"/accounts/{ACCOUNT}/cfd_tunnel": TUNNELS, f"/zones/{ZONE}/dns_records": RECORDS, **self.balancing}.get(
                path
            )
        )

    def do_DELETE(self) -> None:
        self.removed.append(self.path)
        self._answer({})

    def _answer(self, result: Any) -> None:  # noqa: ANN401 - any JSON
        allowed = self.headers["Authorization"] == "Bearer right" and result is not None
        faults = [] if allowed else [{"code": 10000, "message": "Authentication error"}]
        body = json.dumps({"success": allowed, "errors": faults, "result": result}).encode()
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    _Api.removed.clear()
    _Api.balancing.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_only_what_is_ours_and_unknown_is_found_and_removed(api: str) -> None:
    orphans = list(find(state(), RealCloud("right", api)))
    for orphan in orphans:
        orphan.remove()

    assert [(each.kind, each.name) for each in orphans] == [
        ("tunnel", "kitestacks-kscloud1"),
        ("DNS record", "git.kitestacks.com"),
    ]
    assert _Api.removed == [f"/accounts/{ACCOUNT}/cfd_tunnel/t-lost", f"/zones/{ZONE}/dns_records/r-lost"]


def test_what_is_left_of_a_load_balancer_is_removed_in_the_order_that_is_allowed(api: str) -> None:
    def parts(name: str) -> list[dict[str, str]]:
        return [
            {"id": f"{name}-lost", "name": name, "description": COMMENT},
            {"id": f"{name}-test", "name": name, "description": f"{COMMENT}-test"},
            {"id": f"{name}-foreign", "name": name, "description": ""},
            {"id": "r-known", "name": name, "description": COMMENT},
        ]

    monitors = [{"id": "m-lost", "description": f"www.kitestacks.com, {COMMENT}"}]
    account, zone = f"/accounts/{ACCOUNT}/load_balancers", f"/zones/{ZONE}/load_balancers"
    _Api.balancing.update({zone: parts("l"), f"{account}/pools": parts("p"), f"{account}/monitors": monitors})

    orphans = [each for each in find(state(), RealCloud("right", api)) if each.kind.startswith("load balancer")]
    for orphan in orphans:
        orphan.remove()

    assert [each.name for each in orphans] == ["l", "p", f"www.kitestacks.com, {COMMENT}"]
    assert _Api.removed == [f"{zone}/l-lost", f"{account}/pools/p-lost", f"{account}/monitors/m-lost"]


def test_wrong_token_is_said_without_being_shown(api: str) -> None:
    with pytest.raises(CommandError) as caught:
        list(find(state(), RealCloud("wrong-and-secret", api)))

    assert "Authentication error" in str(caught.value)
    assert "Cloudflare Tunnel: Edit" in caught.value.way_out
    assert "wrong-and-secret" not in str(caught.value)


def test_silent_server_is_said() -> None:
    with pytest.raises(CommandError, match="Cloudflare does not answer: ConnectionError"):
        list(find(state(), RealCloud("right", "http://127.0.0.1:9")))


def test_host_that_is_no_foundation_has_nothing_at_cloudflare() -> None:
    assert list(find(StackState(stack="monk", stacks=("monk",), config={}, recorded=frozenset()))) == []


def test_rehearsed_cloud_is_its_file(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    tunnels = {each["id"]: {"name": each["name"].replace("kitestacks", "rehearsal")} for each in TUNNELS}
    pools = {"p": {"name": "p", "description": COMMENT.replace("kitestacks", "rehearsal")}}
    empty: dict[str, Any] = {"dns_records": {}, "monitors": {}, "load_balancers": {}}
    file.write_text(json.dumps({"cloudflare": {"tunnels": tunnels, "pools": pools, **empty}}))

    orphans = list(find(state(**{"kitestacks:installation": "rehearsal"}), RehearsedCloud(file)))
    for orphan in orphans:
        orphan.remove()

    assert [each.id for each in orphans] == ["t-lost", "p"]
    assert not json.loads(file.read_text())["cloudflare"]["pools"]
    assert set(json.loads(file.read_text())["cloudflare"]["tunnels"]) == {"t-known", "t-foreign", "t-test"}
    assert file.stat().st_mode & 0o077 == 0
