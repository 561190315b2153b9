"""Simulated DNS records."""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import ipaddress
import re
import secrets
from itertools import chain
from typing import TYPE_CHECKING

from rehearsal.cloud.resource import Resource, one_of, shape

from .api import camel, dns_error, error, identifier_error, now, refusal, renamed, snake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.store import Data, Store
    from rehearsal.cloud.wire import Props

_AUTOMATIC_TTL = 1
_TTLS = range(60, 86401)  # seconds; an Enterprise zone may go down to 30
_HOSTNAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_ADDRESS_TYPES = ("A", "AAAA")
_PROXIABLE = (*_ADDRESS_TYPES, "CNAME")


class DnsRecord(Resource):
    """A DNS record.

    The API takes ``www`` and ``@`` as short for the name in the zone, and so does this; Pulumi's state keeps the name
    as it was written. A name with a dot that is not in the zone is refused, where the API would append the zone to it:
    that is never what somebody wants.
    """

    type_name = "cloudflare:index/dnsRecord:DnsRecord"
    inputs = shape(
        "name ttl type zoneId comment content includeShadowMetadata priority privateRouting proxied tags",
        data=shape(
            "algorithm altitude certificate digest digestType fingerprint flags keyTag latDegrees latDirection"
            " latMinutes latSeconds longDegrees longDirection longMinutes longSeconds matchingType order port"
            " precisionHorz precisionVert preference priority protocol publicKey regex replacement selector"
            " service size tag target type usage value weight"
        ),
        settings=shape("flattenCname ipv4Only ipv6Only"),
    )
    required = ("name", "ttl", "type", "zoneId")
    computed = ("createdOn", "meta", "modifiedOn", "proxiable")
    replaces = frozenset({"type", "zoneId"})
    choices = one_of(
        type="A AAAA CNAME MX NS OPENPGPKEY PTR TXT CAA CERT DNSKEY DS HTTPS LOC NAPTR SMIMEA SRV SSHFP SVCB TLSA URI"
    )

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Add the record."""
        record_id = secrets.token_hex(16)
        with store.change() as data:
            record = _record(data, None, inputs, f"POST /zones/{inputs['zoneId']}/dns_records")
            data["cloudflare"]["dns_records"][record_id] = record
        return record_id, _record_outputs(record)

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look the record up."""
        cloudflare = store.view()["cloudflare"]
        record = cloudflare["dns_records"].get(resource_id)
        if record is None:
            return None
        found = _record_outputs(record)
        written = str(inputs.get("name", state.get("name", "")))
        if _full_name(written, cloudflare["zones"].get(record["zone_id"], "")) == record["name"]:
            found["name"] = written
        return found

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Change the record."""
        call = f"PUT /zones/{inputs['zoneId']}/dns_records/{resource_id}"
        with store.change() as data:
            records = data["cloudflare"]["dns_records"]
            if resource_id not in records:
                raise refusal(call, "404 Not Found", _about(inputs), error("Record does not exist.", 81044))
            created = records[resource_id].get("created_on", "")
            records[resource_id] = {**_record(data, resource_id, inputs, call), "created_on": created}
        return _record_outputs(records[resource_id])

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove the record."""
        with store.change() as data:
            data["cloudflare"]["dns_records"].pop(resource_id, None)

    def import_id(self, given: str) -> str:
        """Take ``<zone_id>/<dns_record_id>``."""
        return given.rpartition("/")[2]


def _about(inputs: Props) -> str:
    return f"{inputs['type']} {inputs['name']}"


def _full_name(name: str, zone: str) -> str:
    bare = name.lower().rstrip(".")
    if bare in ("@", ""):
        return zone
    return bare if "." in bare else f"{bare}.{zone}"


def _record(data: Data, record_id: str | None, inputs: Props, call: str) -> Data:
    """Build the stored record, or refuse it as the API does."""
    zone = data["cloudflare"]["zones"].get(inputs["zoneId"])
    if zone is None:
        raise identifier_error(call, inputs["zoneId"], f"zone {inputs['zoneId']}")
    name = _full_name(inputs["name"], zone)
    fault = next(chain(_faults(name, zone, inputs), _clashes(data, record_id, name, inputs)), None)
    if fault:
        raise refusal(call, "400 Bad Request", _about(inputs), fault)
    record = {"proxied": False, "tags": [], "settings": {}, **renamed(inputs, snake), "name": name}
    return {**record, "created_on": now(), "modified_on": now()}


def _faults(name: str, zone: str, inputs: Props) -> Iterator[Props]:
    """Yield what is wrong with a record on its own."""
    kind, content, ttl = inputs["type"], inputs.get("content", ""), inputs["ttl"]
    if name != zone and not name.endswith(f".{zone}"):
        yield dns_error(9000, f"DNS name is invalid: {name} is not in the zone {zone}")
    if not _HOSTNAME.fullmatch(name):
        yield dns_error(9000, f"DNS name is invalid: {name}")
    if inputs.get("proxied") and kind not in _PROXIABLE:
        yield dns_error(9041, "This DNS record cannot be proxied.")
    if inputs.get("proxied") and ttl != _AUTOMATIC_TTL:
        yield error(f"ttl must be set to 1 when `proxied` is true, not {ttl}")
    if ttl != _AUTOMATIC_TTL and ttl not in _TTLS:
        yield dns_error(9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic.")
    if kind == "A" and not _is_address(content, ipaddress.IPv4Address):
        yield dns_error(9005, "Content for A record must be a valid IPv4 address.")
    if kind == "AAAA" and not _is_address(content, ipaddress.IPv6Address):
        yield dns_error(9006, "Content for AAAA record must be a valid IPv6 address.")
    if kind == "CNAME" and not _HOSTNAME.fullmatch(content.lower().rstrip(".")):
        yield dns_error(9007, "Content for CNAME record is invalid.")


def _is_address(content: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
    try:
        kind(content)
    except ValueError:
        return False
    return True


def _clashes(data: Data, record_id: str | None, name: str, inputs: Props) -> Iterator[Props]:
    """Yield what is in the way: a CNAME shares its name with no address, and no record exists twice."""
    kind = inputs["type"]
    for known, other in data["cloudflare"]["dns_records"].items():
        if known == record_id or (other["zone_id"], other["name"]) != (inputs["zoneId"], name):
            continue
        if kind == "CNAME" and other["type"] in _PROXIABLE:
            yield error("An A, AAAA, or CNAME record with that host already exists.", 81053)
        if kind in _ADDRESS_TYPES and other["type"] == "CNAME":
            yield error("A CNAME record with that host already exists.", 81054)
        if (kind, inputs.get("content")) == (other["type"], other.get("content")):
            yield error("An identical record already exists.", 81058)


def _record_outputs(record: Data) -> Props:
    known: Props = renamed(record, camel)
    return {**known, "meta": "{}", "proxiable": record["type"] in _PROXIABLE}
