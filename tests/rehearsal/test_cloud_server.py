"""What every simulated provider does alike: the protocol, unknown and secret values, drift, plain refusals."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from rehearsal.cloud.__main__ import PROVIDERS
from rehearsal.cloud.cloudflare import CLOUDFLARE
from rehearsal.cloud.docker import DOCKER
from rehearsal.cloud.random import RANDOM
from rehearsal.cloud.tailscale import TAILSCALE
from rehearsal.cloud.wire import UNKNOWN, plain, secret_keys
from tests.rehearsal.cloud_world import ACCOUNT, DOMAIN, ZONE, Refused, as_sent, secret, world

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.cloud.resource import Provider

TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
CONFIG = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
TOKEN = "cloudflare:index/getZeroTrustTunnelCloudflaredToken:getZeroTrustTunnelCloudflaredToken"  # noqa: S105 - a name
CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
RECORD_INPUTS = {"zoneId": ZONE, "name": DOMAIN, "type": "A", "content": "192.0.2.1", "ttl": 60}


@pytest.mark.parametrize("provider", [*PROVIDERS, DOCKER], ids=lambda provider: provider.name)
def test_each_provider_has_its_own_package_s_version(tmp_path: Path, provider: Provider) -> None:
    with world(tmp_path, provider) as cloud:
        assert cloud.version() == version(f"pulumi-{provider.name}")


def test_a_type_that_is_not_simulated_is_refused_plainly(tmp_path: Path) -> None:
    with world(tmp_path, CLOUDFLARE) as cloud:
        (words,) = cloud.check("cloudflare:index/ruleset:Ruleset", {}).values()
        assert words.startswith("cloudflare:index/ruleset:Ruleset is not simulated (simulated: ")
        assert all(known in words for known in (RECORD, TUNNEL, CONFIG))
        with pytest.raises(Refused, match="is not simulated"):
            cloud.create_raw("cloudflare:index/ruleset:Ruleset", {})
        with pytest.raises(
            Refused, match=r"getZones is not simulated .simulated: .*getZeroTrustTunnelCloudflaredToken"
        ):
            cloud.invoke("cloudflare:index/getZones:getZones", {})


def test_a_function_of_a_provider_without_functions_is_refused_plainly(tmp_path: Path) -> None:
    with world(tmp_path, TAILSCALE) as cloud, pytest.raises(Refused, match=r"not simulated \(simulated: none\)"):
        cloud.invoke("tailscale:index/getDevices:getDevices", {})


def test_all_faults_of_the_inputs_are_named_at_once(tmp_path: Path) -> None:
    inputs = {"tunnelID": "x", "config": {"ingresses": [{"service": "http_status:404", "hostName": "a"}], "warp": {}}}
    with world(tmp_path, CLOUDFLARE) as cloud:
        failures = cloud.check(CONFIG, {**inputs, "source": "elsewhere"})
    assert set(failures) == {
        *("tunnelID", "config.ingresses[0].hostName", "config.warp", "accountId", "tunnelId", "source")
    }
    assert failures["config.ingresses[0].hostName"].startswith("there is no such property (there are: hostname,")
    assert failures["tunnelId"] == "this property is required"
    assert failures["source"] == "must be one of cloudflare, local"


def test_unknown_and_secret_inputs_pass_the_check_as_they_came(tmp_path: Path) -> None:
    inputs = {"accountId": ACCOUNT, "tunnelId": UNKNOWN, "source": UNKNOWN, "config": {"ingresses": UNKNOWN}}
    with world(tmp_path, CLOUDFLARE) as cloud:
        assert cloud.check(CONFIG, inputs) == {}
        checked = cloud.checked(CONFIG, {**inputs, "config": {"ingresses": [{"service": secret("http://a:1")}]}})
    assert secret_keys(checked) == {"config"}
    assert as_sent(checked)["config"]["ingresses"][0]["service"] == secret("http://a:1")


def test_a_previewed_creation_knows_the_inputs_only_and_changes_nothing(tmp_path: Path) -> None:
    inputs = {"accountId": ACCOUNT, "name": "monk"}
    with world(tmp_path, CLOUDFLARE) as cloud:
        made, properties = cloud.create_raw(TUNNEL, inputs, preview=True)
        outputs = plain(properties)
        assert cloud.store.view()["cloudflare"]["tunnels"] == {}
    assert made == ""
    assert outputs["name"] == "monk"
    assert outputs["status"] == UNKNOWN


def test_a_previewed_update_keeps_what_is_known_and_changes_nothing(tmp_path: Path) -> None:
    with world(tmp_path, CLOUDFLARE) as cloud:
        made, state = cloud.create(RECORD, RECORD_INPUTS)
        before = cloud.store.view()["cloudflare"]["dns_records"][made]
        outputs = cloud.update(RECORD, made, state, {**RECORD_INPUTS, "content": UNKNOWN}, preview=True)
        assert cloud.store.view()["cloudflare"]["dns_records"][made] == before
    assert outputs["content"] == UNKNOWN
    assert outputs["createdOn"] == state["createdOn"]


def test_a_function_of_something_unknown_has_no_answer_yet(tmp_path: Path) -> None:
    with world(tmp_path, CLOUDFLARE) as cloud:
        assert plain(cloud.invoke(TOKEN, {"accountId": ACCOUNT, "tunnelId": UNKNOWN})) == {}


def test_a_secret_input_stays_secret_in_the_outputs_and_where_it_was(tmp_path: Path) -> None:
    inputs = {"image": "caddy:2", "name": "portal", "envs": ["A=B", secret("TOKEN=hush")]}
    with world(tmp_path, DOCKER) as cloud:
        made, properties = cloud.create_raw(CONTAINER, inputs)
        assert as_sent(properties)["envs"] == ["A=B", secret("TOKEN=hush")]
        assert cloud.store.view()["docker"]["containers"][made]["envs"] == ["A=B", "TOKEN=hush"]
        found = cloud.read_raw(CONTAINER, made, inputs, {**inputs, "hostname": "x"})
        assert as_sent(found.inputs)["envs"] == ["A=B", secret("TOKEN=hush")]
        with cloud.store.change() as data:
            data["docker"]["containers"][made]["envs"] = ["A=B", "TOKEN=other"]
        drifted = cloud.read_raw(CONTAINER, made, inputs, {**inputs, "hostname": "x"})
    assert secret_keys(drifted.inputs) == secret_keys(drifted.properties) == {"envs"}
    assert plain(drifted.inputs)["envs"] == ["A=B", "TOKEN=other"]


def test_secrets_are_compared_by_value_and_unknowns_differ(tmp_path: Path) -> None:
    with world(tmp_path, DOCKER) as cloud:
        old = {"image": "caddy:2", "name": "portal", "envs": [secret("TOKEN=hush")]}
        assert cloud.diff(CONTAINER, old, {**old, "envs": ["TOKEN=hush"]}) == ([], [])
        assert cloud.diff(CONTAINER, old, {**old, "envs": [secret("TOKEN=new")]}) == (["envs"], ["envs"])
        assert cloud.diff(CONTAINER, old, {**old, "envs": [UNKNOWN]}) == (["envs"], ["envs"])
        assert cloud.diff(CONTAINER, old, {**old, "memory": UNKNOWN}) == (["memory"], [])


def test_what_is_removed_from_the_file_by_hand_is_seen_as_gone(tmp_path: Path) -> None:
    with world(tmp_path, CLOUDFLARE) as cloud:
        made, state = cloud.create(RECORD, RECORD_INPUTS)
        file = tmp_path / "cloud.json"
        file.write_text(file.read_text(encoding="utf-8").replace(made, "e" * 32), encoding="utf-8")
        assert cloud.read(RECORD, made, RECORD_INPUTS, state) == ("", {}, {})
        cloud.delete(RECORD, made, state)  # gone already: no error


def test_what_is_changed_in_the_file_by_hand_is_seen_as_drift(tmp_path: Path) -> None:
    with world(tmp_path, CLOUDFLARE) as cloud:
        made, state = cloud.create(RECORD, RECORD_INPUTS)
        file = tmp_path / "cloud.json"
        file.write_text(file.read_text(encoding="utf-8").replace("192.0.2.1", "192.0.2.99"), encoding="utf-8")
        _, inputs, outputs = cloud.read(RECORD, made, RECORD_INPUTS, state)
    assert inputs["content"] == outputs["content"] == "192.0.2.99"


def test_what_loses_a_property_by_hand_is_seen_as_drift(tmp_path: Path) -> None:
    inputs = {**RECORD_INPUTS, "comment": "portal"}
    with world(tmp_path, CLOUDFLARE) as cloud:
        made, state = cloud.create(RECORD, inputs)
        with cloud.store.change() as data:
            del data["cloudflare"]["dns_records"][made]["comment"]
        _, found, outputs = cloud.read(RECORD, made, inputs, state)
    assert found == RECORD_INPUTS
    assert "comment" not in outputs


def test_a_missing_name_is_made_up_once(tmp_path: Path) -> None:
    with world(tmp_path, DOCKER) as cloud:
        first = plain(cloud.checked(NETWORK, {}))["name"]
        assert first.startswith("thing-")
        assert plain(cloud.checked(NETWORK, {}))["name"] == first  # preview and update agree
        assert plain(cloud.checked(NETWORK, {}, olds={"name": "thing-kept"}))["name"] == "thing-kept"
        assert plain(cloud.checked(NETWORK, {"name": "edge"}))["name"] == "edge"


def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    with world(tmp_path, RANDOM) as _, world(tmp_path, CLOUDFLARE) as cloud:
        (tmp_path / "cloud.json").write_text("{", encoding="utf-8")
        with pytest.raises(Refused, match=r"cloud.json cannot be read .*; remove it to begin with an empty cloud"):
            cloud.create_raw(RECORD, RECORD_INPUTS)
