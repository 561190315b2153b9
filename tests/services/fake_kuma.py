"""An Uptime Kuma that speaks socket.io as version 2.5.3 does (`louislam/uptime-kuma:server/server.js`)."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import socketio
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonObject = dict[str, Any]
FROM_THE_FORM = ("conditions", "kafkaProducerBrokers", "kafkaProducerSaslOptions", "rabbitmqNodes")
"""What Kuma stores as JSON text: a monitor without them is stored, and then breaks every list of monitors."""


class RefusalError(Exception):
    """What Kuma answers instead of doing something."""


class FakeKuma:
    """One Kuma; its database is plain values.

    Attributes:
        writes: Names of the events that changed something.
        refuses: The event that fails, as it does when Kuma is stopped in the middle.
    """

    def __init__(self) -> None:
        self.user: JsonObject = {}
        self.settings: JsonObject = {"keepDataPeriodDays": 180}
        self.tags: list[JsonObject] = []
        self.monitors: dict[int, JsonObject] = {}
        self.notifications = [{"id": 4, "isDefault": True}, {"id": 5, "isDefault": False}]
        self.pages: dict[str, JsonObject] = {}
        self.groups: list[JsonObject] = []
        self.writes: list[str] = []
        self.refuses = ""
        self.second_factor = False
        self._io = socketio.AsyncServer(async_mode="aiohttp")
        self._logged_in: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._io.on("connect", self._connect)
        self._io.on("*", self._event)

    @contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """Its address, for as long as the block lasts; on any free port, or on this one."""
        loop = self._loop
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        runner = web.AppRunner(self._application())
        try:
            port = asyncio.run_coroutine_threadsafe(self._listen(runner, port), loop).result(60)
            yield f"http://127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def set_password(self, password: str) -> None:
        """As Kuma's own program does, which also ends the connections of all who are logged in."""
        self.user["password"] = password
        asyncio.run_coroutine_threadsafe(self._end_connections(), self._loop).result(60)

    async def _end_connections(self) -> None:
        for sid in tuple(self._logged_in):
            await self._io.disconnect(sid)
        self._logged_in.clear()

    def add_monitor(self, **values: object) -> int:
        """A monitor that is there already."""
        number = max(self.monitors, default=0) + 1
        self.monitors[number] = {"id": number, "tags": [], **values}
        return number

    async def _listen(self, runner: web.AppRunner, port: int) -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        return int(runner.addresses[0][1])

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/api/status-page/{slug}", self._page)
        self._io.attach(application)
        return application

    async def _page(self, request: web.Request) -> web.Response:
        if request.match_info["slug"] not in self.pages:
            return web.json_response({"ok": False}, status=404)
        return web.json_response({"config": self.pages[request.match_info["slug"]], "publicGroupList": self.groups})

    async def _connect(self, sid: str, _environment: object) -> None:
        await self._io.emit("info", {}, to=sid)
        if self.settings.get("disableAuth"):
            await self._after_login(sid)
            await self._io.emit("autoLogin", to=sid)
        else:
            await self._io.emit("loginRequired", to=sid)

    async def _after_login(self, sid: str) -> None:
        self._logged_in.add(sid)
        await self._io.emit("monitorList", self._monitor_list(), to=sid)
        await self._io.emit("notificationList", self.notifications, to=sid)

    def _monitor_list(self) -> JsonObject:
        assert all(key in each for each in self.monitors.values() for key in FROM_THE_FORM), "the list breaks"
        return {str(number): each for number, each in self.monitors.items()}

    async def _event(self, event: str, sid: str, *values: Any) -> Any:  # noqa: ANN401 - any JSON
        if event == "needSetup":
            return not self.user
        if event == "login":
            return await self._login(sid, *values)
        try:
            self._may(event, sid)
            if event == "getMonitorList":
                await self._io.emit("monitorList", self._monitor_list(), to=sid)
                return {"ok": True}
            if not event.startswith("get"):
                self.writes.append(event)
            return {"ok": True, **(getattr(self, f"_on_{event}")(*values) or {})}
        except RefusalError as refusal:
            return {"ok": False, "msg": str(refusal)}

    def _may(self, event: str, sid: str) -> None:
        if event == self.refuses:
            raise RefusalError("database is locked")
        if event != "setup" and sid not in self._logged_in:
            raise RefusalError("You are not logged in.")

    async def _login(self, sid: str, data: JsonObject) -> JsonObject:
        if (data["username"], data["password"]) != (self.user.get("username"), self.user.get("password")):
            return {"ok": False, "msg": "authIncorrectCreds", "msgi18n": True}
        if self.second_factor:
            return {"tokenRequired": True}
        await self._after_login(sid)
        return {"ok": True, "token": "a token"}

    def _on_setup(self, username: str, password: str) -> None:
        if self.user:
            raise RefusalError("Uptime Kuma has been initialized.")
        self.user = {"username": username, "password": password}

    def _on_getSettings(self) -> JsonObject:  # noqa: N802 - the event's name
        return {"data": self.settings}

    def _on_setSettings(self, data: JsonObject, password: str) -> None:  # noqa: N802
        if data.get("disableAuth") and not self.settings.get("disableAuth") and password != self.user["password"]:
            raise RefusalError("Incorrect current password")
        self.settings = data

    def _on_getTags(self) -> JsonObject:  # noqa: N802
        return {"tags": self.tags}

    def _on_addTag(self, tag: JsonObject) -> JsonObject:  # noqa: N802
        self.tags.append({"id": len(self.tags) + 1, **tag})
        return {"tag": self.tags[-1]}

    def _on_add(self, monitor: JsonObject) -> JsonObject:
        assert all(isinstance(each, str) for each in monitor["accepted_statuscodes"])
        return {"monitorID": self.add_monitor(**monitor)}

    def _on_editMonitor(self, monitor: JsonObject) -> None:  # noqa: N802
        assert all(key in monitor for key in FROM_THE_FORM), "what is not given is lost"
        self.monitors[monitor["id"]] = monitor

    def _on_deleteMonitor(self, number: int, children: bool) -> None:  # noqa: N802
        assert not children
        del self.monitors[number]
        for group in self.groups:
            group["monitorList"] = [each for each in group["monitorList"] if each["id"] != number]

    def _on_addMonitorTag(self, tag: int, monitor: int, value: str) -> None:  # noqa: N802
        name = next(each["name"] for each in self.tags if each["id"] == tag)
        self.monitors[monitor]["tags"].append({"tag_id": tag, "monitor_id": monitor, "value": value, "name": name})

    def _on_getStatusPage(self, slug: str) -> JsonObject:  # noqa: N802
        if slug not in self.pages:
            raise RefusalError("No slug?")
        return {"config": self.pages[slug]}

    def _on_addStatusPage(self, title: str, slug: str) -> JsonObject:  # noqa: N802
        self.pages[slug] = {"slug": slug, "title": title, "icon": "/icon.svg", "theme": "auto", "analyticsType": None}
        return {"slug": slug}

    def _on_saveStatusPage(self, slug: str, config: JsonObject, image: str, groups: list[JsonObject]) -> JsonObject:  # noqa: N802
        if config["analyticsType"] is not None:
            raise RefusalError("Invalid analytics type")
        self.pages[slug] = config | {"icon": image}
        fresh = max((group["id"] for group in self.groups), default=0)
        self.groups = [{"id": group.get("id") or fresh + index, **group} for index, group in enumerate(groups, 1)]
        return {"publicGroupList": self.groups}
