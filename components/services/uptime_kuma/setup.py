"""The step that gives Uptime Kuma its first user, a monitor for each site, and the public status page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.machine import StepError
from components.services.uptime_kuma.client import connected, page_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.machine import Machine
    from components.services.uptime_kuma.client import Kuma
    from components.step_program import Given

TAG = "kitestacks"
"""What marks the monitors that this step keeps; any other is the owner's own, and is never touched."""
_COLOR = "#2563eb"
_ALWAYS = {
    "type": "http",
    "method": "GET",
    "maxretries": 1,
    # A site that sends its visitors to the login has not answered by itself.
    "maxredirects": 0,
    "accepted_statuscodes": ["200-299"],
}
"""What is the same for all monitors of this step."""
_NEW: dict[str, Any] = {
    "parent": None,
    "resendInterval": 0,
    "ignoreTls": False,
    "upsideDown": False,
    "expiryNotification": False,
    "domainExpiryNotification": False,
    "conditions": [],
    "kafkaProducerBrokers": [],
    "kafkaProducerSaslOptions": {"mechanism": "None"},
    "rabbitmqNodes": [],
}
"""What Kuma wants to be given with a new monitor besides; afterwards it is the owner's to change."""


def run(given: Given, machine: Machine) -> str:
    """Logs in, and changes what differs: the settings, then the monitors, then the page.

    Raises:
        StepError: Kuma does not answer, belongs to another user, or refuses something.
    """
    facts = given.facts
    with machine.http(facts["container"], facts["port"]) as address, connected(address) as kuma:
        done = [_log_in(kuma, given, machine), _keep_settings(kuma, facts, given.secrets["admin-password"])]
        tag = _tag(kuma)
        done += _keep_monitors(kuma, tag, facts["monitors"])
        done.append(_keep_page(kuma, address, facts["page"], _headings(kuma, tag, facts["monitors"])))
    return "; ".join(filter(None, done)) or f"{len(facts['monitors'])} monitors and the page are as they should be"


def _log_in(kuma: Kuma, given: Given, machine: Machine) -> str:
    """As Kuma's one user, who is made where there is none; the password is set inside the container if it differs."""
    user, password = given.facts["user"], given.secrets["admin-password"]
    done = ""
    if kuma.ask("needSetup"):
        kuma.do("setup", user, password)
        done = f"user {user} is made"
    answer = kuma.ask("login", {"username": user, "password": password, "token": ""})
    if not answer.get("ok") and not answer.get("tokenRequired"):
        done = _set_password(given, machine)
        kuma.connect_anew()  # Kuma ends every connection of a user whose password changes.
        answer = kuma.ask("login", {"username": user, "password": password, "token": ""})
    container = given.facts["container"]
    if answer.get("tokenRequired"):
        raise StepError(f"user {user} has a second factor: type `docker exec -it {container} npm run remove-2fa`")
    if not answer.get("ok"):
        raise StepError(f"Uptime Kuma refused the login of {user}: {answer.get('msg')}")
    return done


def _set_password(given: Given, machine: Machine) -> str:
    """By Kuma's own program, which takes the password as an argument alone: it becomes one inside the container."""
    user, container, password = given.facts["user"], given.facts["container"], given.secrets["admin-password"]
    script = 'read -r P; exec node extra/reset-password.js "--new-password=$P" "$@"'
    looked = machine.execute(container, ("sh", "-c", script, "sh", "--dry-run"), stdin=f"{password}\n")
    found = re.search(r"^Found user: (.*)$", looked.out, re.MULTILINE)
    if found is None or found[1] != user:
        there = f"its user is {found[1]!r}" if found else (looked.out + looked.err).replace(password, "...").strip()
        way_out = f"write `user: {found[1]}` into the block of uptime-kuma" if found else f"docker logs {container}"
        raise StepError(f"Uptime Kuma lets {user!r} not in: {there}; {way_out}")
    done = machine.execute(container, ("sh", "-c", script, "sh"), stdin=f"{password}\n")
    # It ends with 0 whatever happens.
    if "Password reset successfully." not in done.out:
        said = (done.out + done.err).replace(password, "...").strip()
        raise StepError(f"the password of {user} could not be set: {said}")
    return f"the password of {user} is set"


def _keep_settings(kuma: Kuma, facts: Mapping[str, Any], password: str) -> str:
    wanted = {"disableAuth": facts["login_off"], "primaryBaseURL": facts["url"], "checkUpdate": False}
    settings = kuma.do("getSettings")["data"]
    if wanted.items() <= {"disableAuth": False, **settings}.items():
        return ""
    kuma.do("setSettings", {**settings, **wanted}, password)
    return "the settings are set"


def _keep_monitors(kuma: Kuma, tag: int, sites: Sequence[Mapping[str, Any]]) -> list[str]:
    """Adds, changes and removes; a monitor that an earlier run could not mark any more is taken up again."""
    there = kuma.monitors()
    ours = _marked(there, tag)
    unmarked = {each["name"]: each for each in there if not each["tags"]}
    added, changed = 0, 0
    for site in sites:
        wanted = _monitor(site)
        known = ours.get(site["name"]) or _twin(unmarked.get(site["name"]), wanted)
        if known is None:
            monitor = {**_NEW, **wanted, "notificationIDList": _default_notifications(kuma)}
            known = {"id": kuma.do("add", monitor)["monitorID"]}
            added += 1
        elif not wanted.items() <= known.items():
            kuma.do("editMonitor", {**known, **wanted})
            changed += 1
        if site["name"] not in ours:
            kuma.do("addMonitorTag", tag, known["id"], "")
    gone = [each["id"] for name, each in ours.items() if name not in {site["name"] for site in sites}]
    for monitor_id in gone:
        kuma.do("deleteMonitor", monitor_id, False)
    counts = {"added": added, "changed": changed, "removed": len(gone)}
    return [f"monitors {what}: {count}" for what, count in counts.items() if count]


def _marked(monitors: Sequence[dict[str, Any]], tag: int) -> dict[str, dict[str, Any]]:
    """Those of the monitors that this step keeps, by name."""
    return {each["name"]: each for each in monitors if any(mark["tag_id"] == tag for mark in each["tags"])}


def _monitor(site: Mapping[str, Any]) -> dict[str, Any]:
    interval = site["interval"]
    times = {"interval": interval, "retryInterval": interval, "timeout": round(interval * 0.8)}
    return {**_ALWAYS, **times, **{key: site[key] for key in ("name", "url", "description")}}


def _twin(monitor: dict[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """A monitor without a mark that is in everything what this step would add."""
    return monitor if monitor is not None and wanted.items() <= monitor.items() else None


def _default_notifications(kuma: Kuma) -> dict[str, bool]:
    """The notifications that the owner has set for every new monitor."""
    return {str(each["id"]): True for each in kuma.sent("notificationList") if each["isDefault"]}


def _tag(kuma: Kuma) -> int:
    for tag in kuma.do("getTags")["tags"]:
        if tag["name"] == TAG:
            return int(tag["id"])
    return int(kuma.do("addTag", {"name": TAG, "color": _COLOR})["tag"]["id"])


def _headings(kuma: Kuma, tag: int, sites: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """The monitors under the portal's headings, in the portal's order."""
    numbers = {name: each["id"] for name, each in _marked(kuma.monitors(), tag).items()}
    headings: dict[str, list[int]] = {}
    for site in sites:
        headings.setdefault(site["group"], []).append(numbers[site["name"]])
    return headings


def _keep_page(kuma: Kuma, address: str, page: Mapping[str, str], headings: Mapping[str, list[int]]) -> str:
    answer = kuma.ask("getStatusPage", page["slug"])
    is_new = not answer.get("ok")
    if is_new:
        kuma.do("addStatusPage", page["title"], page["slug"])
        answer = kuma.do("getStatusPage", page["slug"])
    config = answer["config"]
    # A page that was asked for before it was there may be remembered as missing for some minutes.
    groups = [] if is_new else page_groups(address, page["slug"])
    shown = {group["name"]: [each["id"] for each in group["monitorList"]] for group in groups}
    if list(shown.items()) == list(headings.items()) and config["title"] == page["title"]:
        return ""
    known = {group["name"]: {"id": group["id"]} for group in groups}
    listed = [
        {**known.get(name, {}), "name": name, "monitorList": [{"id": each} for each in ids]}
        for name, ids in headings.items()
    ]
    config = {"analyticsType": None, "domainNameList": [], **config, "title": page["title"]}
    kuma.do("saveStatusPage", page["slug"], config, config["icon"], listed)
    return "the status page is set"
