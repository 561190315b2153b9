"""A small wiki that plays BookStack where its data counts: it migrates at start, and keeps pages and pictures.

Environment, as BookStack's: DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME, FILE__DB_PASSWORD. What it answers:

With WIKI_MIGRATES_BADLY it runs these statements and never answers: a bad version.

- `/status`: 200 while its database answers; `/` and anything else: who it is
- `/pages`: the numbers of all pages, one a line; `POST /pages/<number>`: a new one
- `/uploads/<name>`: a picture; `POST` of the same: a new one, below /config/www/uploads
"""

# The image has this package; whoever checks the project need not.
# mypy: disable-error-code="import-not-found, import-untyped"
# ruff: noqa: INP001

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pymysql

UPLOADS = Path("/config/www/uploads")
SCHEMA = (
    "CREATE TABLE migrations (id INT AUTO_INCREMENT PRIMARY KEY, migration VARCHAR(99))",
    "CREATE TABLE pages (id INT AUTO_INCREMENT PRIMARY KEY, number INT UNIQUE, author VARCHAR(99))",
    "CREATE TABLE activities (id INT AUTO_INCREMENT PRIMARY KEY, type VARCHAR(99))",
    "INSERT INTO migrations (migration) VALUES ('first')",
)


def ask(*statements: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Runs statements in one transaction; the rows of the last one."""
    words = Path(os.environ["FILE__DB_PASSWORD"]).read_text().strip()
    place = {"host": os.environ["DB_HOST"], "port": int(os.environ["DB_PORT"]), "connect_timeout": 2}
    who = {"user": os.environ["DB_USERNAME"], "password": words, "database": os.environ["DB_DATABASE"]}
    with contextlib.closing(pymysql.connect(**place, **who, read_timeout=4)) as connection, connection.cursor() as rows:
        for statement in statements:
            rows.execute(statement, values)
        connection.commit()
        return list(rows.fetchall())


def migrate() -> None:
    """As BookStack's image does at each start: waits for the database, and makes what is missing."""
    while True:
        try:
            if not ask("SHOW TABLES LIKE 'migrations'"):
                ask(*SCHEMA)
        except pymysql.Error as error:
            sys.stderr.write(f"the database: {error}\n")
            time.sleep(1)
        else:
            return


class Wiki(BaseHTTPRequestHandler):
    """One visitor's question."""

    def do_GET(self) -> None:
        """What is there."""
        if self.path == "/pages":
            self.answer("\n".join(str(number) for (number,) in ask("SELECT number FROM pages ORDER BY number")))
        elif self.path.startswith("/uploads/"):
            self.answer((UPLOADS / Path(self.path).name).read_text())
        else:
            ask("SELECT 1 FROM migrations")
            self.answer(f"service bookstack on host {socket.gethostname()}")

    def do_POST(self) -> None:
        """Something new."""
        name = Path(self.path).name
        if self.path.startswith("/uploads/"):
            (UPLOADS / name).write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        else:
            page = "INSERT INTO pages (number, author) VALUES (%s, %s)"
            ask(page, values=(int(name), socket.gethostname()))
        self.answer(f"saved by {socket.gethostname()}")

    def handle_one_request(self) -> None:
        """A fault of the database is an answer of 500, as in the real one."""
        try:
            super().handle_one_request()
        except (pymysql.Error, OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                self.answer(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)

    def answer(self, text: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Says it; nothing good while a drill has written so into a file."""
        with contextlib.suppress(FileNotFoundError):
            if Path("/sick").read_text().strip() == "sick":
                text, status = "sick: a drill said so", HTTPStatus.INTERNAL_SERVER_ERROR
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing of each question."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    UPLOADS.mkdir(parents=True, exist_ok=True)
    migrate()
    if badly := os.environ.get("WIKI_MIGRATES_BADLY"):
        ask(*badly.split(";"))
        threading.Event().wait()
    ThreadingHTTPServer(("", 80), Wiki).serve_forever()
