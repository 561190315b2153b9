"""A service behind the edge that shows what reached it, and misbehaves where it is asked to."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import Self

from aiohttp import WSMsgType, web

BLOCK = bytes(range(256)) * 256


class Origin:
    """An HTTP server in a thread of its own."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.go_on = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self.port = 0

    def forget(self) -> None:
        """Starts anew for another test."""
        self.requests.clear()
        self.go_on.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()

    async def _run(self) -> None:
        app = web.Application(client_max_size=0)
        app.router.add_get("/websocket", self._websocket)
        app.router.add_get("/pieces", self._pieces)
        app.router.add_get("/broken", self._broken)
        app.router.add_get("/large", self._large)
        app.router.add_get("/moved", self._moved)
        app.router.add_get("/stuck", self._stuck)
        app.router.add_route("*", "/{path:.*}", self._echo)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.Response:
        self.requests.append(request.method)
        digest, size = hashlib.sha256(), 0
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            size += len(chunk)
        seen = {
            "method": request.method,
            "path": request.raw_path,
            "headers": {key.lower(): value for key, value in request.headers.items()},
            "size": size,
            "sha256": digest.hexdigest(),
        }
        response = web.json_response(seen)
        response.headers.extend([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        response.headers["X-Rehearsal-Unreachable"] = "a service must not be able to say this"
        return response

    async def _large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["blocks"])):
            await response.write(BLOCK)
        return response

    async def _pieces(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.to_thread(self.go_on.wait, 10)
        await response.write(b"second")
        return response

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _moved(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def _stuck(self, _request: web.Request) -> web.Response:
        self.requests.append("stuck")
        await asyncio.to_thread(self.go_on.wait, 20)
        return web.Response(text="late")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("refuse"):
            return web.Response(status=403)
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "bye":
                await socket.close(code=4001)
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(f"heard {message.data}")
            else:
                await socket.send_bytes(message.data[::-1])
        return socket
