"""Simulated load balancing: monitors, pools and load balancers, with the refusals that a plan brings along."""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, ClassVar

from rehearsal.cloud.resource import Resource, one_of, shape

from .api import camel, check_account, error, identifier_error, now, refusal, renamed, snake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.store import Data, Store
    from rehearsal.cloud.wire import Props

LEAST_INTERVAL = {"pro": 60, "business": 15, "enterprise": 10}
"""Seconds between two checks, by plan (as of 2026-08-22)."""
_LONGEST_INTERVAL = 3600
_MOST_RETRIES = 5
_CODES = re.compile(r"([1-5]xx|[1-5]\d\d(-[1-5]\d\d)?)(,([1-5]xx|[1-5]\d\d(-[1-5]\d\d)?))*")
_POOL_NAME = re.compile(r"[A-Za-z0-9_-]+")
_HOSTNAME = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


class _Part(Resource):
    """What the three have in common: a table in the cloud, and an id that the API chooses.

    Attributes:
        table: Their place in the cloud.
        path: Their place in the API.
    """

    table: ClassVar[str]
    path: ClassVar[str]
    computed = ("createdOn", "modifiedOn")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Add it."""
        made = secrets.token_hex(16)
        with store.change() as data:
            self._put(data, made, inputs, f"POST {self._collection(inputs)}")
        return made, self._outputs(data["cloudflare"][self.table][made])

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look it up."""
        found = store.view()["cloudflare"][self.table].get(resource_id)
        return None if found is None else renamed(found, camel)

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Change it."""
        call = f"PUT {self._collection(inputs)}/{resource_id}"
        with store.change() as data:
            if resource_id not in data["cloudflare"][self.table]:
                raise refusal(call, "404 Not Found", self._about(inputs), error("object does not exist", 1000))
            self._put(data, resource_id, inputs, call)
        return self._outputs(data["cloudflare"][self.table][resource_id])

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove it, if nothing leads to it any more."""
        with store.change() as data:
            user = next(self._users(data["cloudflare"], resource_id), None)
            if user:
                call = f"DELETE {self._collection(state)}/{resource_id}"
                raise refusal(call, "412 Precondition Failed", self._about(state), error(f"it is in use by {user}"))
            data["cloudflare"][self.table].pop(resource_id, None)

    def import_id(self, given: str) -> str:
        """Take ``<account or zone id>/<id>``."""
        return given.rpartition("/")[2]

    def _put(self, data: Data, known: str, inputs: Props, call: str) -> None:
        self._check_place(data, inputs, call)
        fault = next(self._refusals(data["cloudflare"], known, inputs), None)
        if fault:
            raise refusal(call, "400 Bad Request", self._about(inputs), error(fault))
        before = data["cloudflare"][self.table].get(known, {})
        times = {"created_on": before.get("created_on", now()), "modified_on": now()}
        data["cloudflare"][self.table][known] = {**renamed(inputs, snake), **times}

    def _check_place(self, data: Data, inputs: Props, call: str) -> None:
        check_account(data, inputs["accountId"], call)

    def _collection(self, inputs: Props) -> str:
        return f"/accounts/{inputs.get('accountId')}/load_balancers/{self.path}"

    def _about(self, inputs: Props) -> str:
        return f"{self.path.rstrip('s')} {inputs.get('name') or inputs.get('description', '')}"

    def _refusals(self, flare: Data, known: str, inputs: Props) -> Iterator[str]:
        raise NotImplementedError

    def _users(self, flare: Data, known: str) -> Iterator[str]:
        yield from ()

    @staticmethod
    def _outputs(part: Data) -> Props:
        return {"createdOn": part["created_on"], "modifiedOn": part["modified_on"]}


class Monitor(_Part):
    """A health check that pools share."""

    type_name = "cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor"
    table, path = "monitors", "monitors"
    inputs = shape(
        "accountId allowInsecure consecutiveDown consecutiveUp description expectedBody expectedCodes followRedirects"
        " header interval method path port probeZone retries timeout type"
    )
    required = ("accountId",)
    replaces = frozenset({"accountId"})
    choices = one_of(type="http https tcp")

    def _refusals(self, flare: Data, known: str, inputs: Props) -> Iterator[str]:
        plan, interval = flare["plan"], inputs.get("interval", 60)
        least = LEAST_INTERVAL[plan]
        if not least <= interval <= _LONGEST_INTERVAL:
            yield f"interval must be from {least} to {_LONGEST_INTERVAL} on the {plan} plan, not {interval}"
        if not 0 < inputs.get("timeout", 5) < interval:
            yield "timeout must be above zero and below the interval"
        if not 0 <= inputs.get("retries", 2) <= _MOST_RETRIES:
            yield f"retries must be from 0 to {_MOST_RETRIES}"
        if inputs.get("type", "http") == "tcp":
            return
        if not str(inputs.get("path", "/")).startswith("/"):
            yield "path must begin with /"
        if not _CODES.fullmatch(str(inputs.get("expectedCodes", ""))):
            yield "expected_codes must name codes or a range, as 200 or 2xx"
        if len(inputs.get("header", {}).get("Host", ["-"])) != 1:
            yield "header: exactly one Host is allowed"

    def _users(self, flare: Data, known: str) -> Iterator[str]:
        return (f"pool {pool['name']}" for pool in flare["pools"].values() if pool.get("monitor") == known)


class Pool(_Part):
    """A group of origins."""

    type_name = "cloudflare:index/loadBalancerPool:LoadBalancerPool"
    table, path = "pools", "pools"
    inputs = shape(
        "accountId name checkRegions description enabled healthSources latitude longitude minimumOrigins monitor"
        " monitorGroup notificationEmail",
        origins=shape(
            "address disabledAt enabled flattenCname name port virtualNetworkId weight", header=shape("hosts")
        ),
        loadShedding=shape("defaultPercent defaultPolicy sessionPercent sessionPolicy"),
        notificationFilter=shape("", origin=shape("disable healthy"), pool=shape("disable healthy")),
        originSteering=shape("policy"),
    )
    required = ("accountId", "name", "origins")
    replaces = frozenset({"accountId"})

    def _refusals(self, flare: Data, known: str, inputs: Props) -> Iterator[str]:
        origins = inputs["origins"]
        addresses = [origin.get("address", "") for origin in origins]
        if not _POOL_NAME.fullmatch(inputs["name"]):
            yield "name: only alphanumeric characters, hyphens and underscores are allowed"
        if any(pool["name"] == inputs["name"] for other, pool in flare["pools"].items() if other != known):
            yield "name: there is a pool of this name already"
        if not origins:
            yield "origins: at least one is required"
        if len(set(addresses)) < len(addresses):
            yield "origins: the same address must not appear twice in a pool"
        if not all(_HOSTNAME.fullmatch(address) for address in addresses):
            yield "origins: an address must be a host name here"
        if any(len(origin.get("header", {}).get("hosts", ["-"])) != 1 for origin in origins):
            yield "origins: exactly one Host header is allowed per origin"
        if not 0 < inputs.get("minimumOrigins", 1) <= max(len(origins), 1):
            yield "minimum_origins must be from 1 to the number of origins"
        if inputs.get("monitor") and inputs["monitor"] not in flare["monitors"]:
            yield f"monitor {inputs['monitor']} does not exist"
        if flare["plan"] != "enterprise" and not inputs.get("checkRegions"):
            yield f"check_regions must name regions on the {flare['plan']} plan: all data centers are for enterprise"

    def _users(self, flare: Data, known: str) -> Iterator[str]:
        for balancer in flare["load_balancers"].values():
            if known in (*balancer["default_pools"], balancer["fallback_pool"]):
                yield f"load balancer {balancer['name']}"


class LoadBalancer(_Part):
    """A hostname that goes to the pool that is well; it takes precedence over a DNS record of the same name."""

    type_name = "cloudflare:index/loadBalancer:LoadBalancer"
    table, path = "load_balancers", "load_balancers"
    inputs = shape(
        "zoneId name defaultPools fallbackPool countryPools description enabled networks popPools proxied regionPools"
        " rules sessionAffinity sessionAffinityTtl steeringPolicy ttl",
        adaptiveRouting=shape("failoverAcrossPools"),
        locationStrategy=shape("mode preferEcs"),
        randomSteering=shape("defaultWeight poolWeights"),
        sessionAffinityAttributes=shape("drainDuration headers requireAllHeaders samesite secure zeroDowntimeFailover"),
    )
    required = ("defaultPools", "fallbackPool", "name", "zoneId")
    replaces = frozenset({"zoneId"})
    choices = one_of(
        steeringPolicy="off random geo dynamic_latency proximity least_outstanding_requests least_connections",
        sessionAffinity="none cookie ip_cookie header",
    )

    def _check_place(self, data: Data, inputs: Props, call: str) -> None:
        if inputs["zoneId"] not in data["cloudflare"]["zones"]:
            raise identifier_error(call, inputs["zoneId"], f"zone {inputs['zoneId']}")

    def _collection(self, inputs: Props) -> str:
        return f"/zones/{inputs.get('zoneId')}/load_balancers"

    def _about(self, inputs: Props) -> str:
        return f"load balancer {inputs.get('name', '')}"

    def _refusals(self, flare: Data, known: str, inputs: Props) -> Iterator[str]:
        zone, name = flare["zones"][inputs["zoneId"]], inputs["name"]
        if name != zone and not name.endswith(f".{zone}"):
            yield f"name: {name} is not in the zone {zone}"
        if any(other["name"] == name for each, other in flare["load_balancers"].items() if each != known):
            yield "name: there is a load balancer of this name already"
        if not inputs["defaultPools"]:
            yield "default_pools: at least one is required"
        for pool in inputs["defaultPools"]:
            if pool not in flare["pools"]:
                yield f"default_pools: there is no pool {pool}"
        if inputs["fallbackPool"] not in flare["pools"]:
            yield f"fallback_pool: there is no pool {inputs['fallbackPool']}"
        if inputs.get("proxied") and inputs.get("ttl"):
            yield "ttl must not be set on a proxied load balancer"
