"""The portal's files and the web server's configuration, without a browser."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.portal_page.render import PortalPage, Tile, caddyfile, render
from tests.portal_site import BOTH, BREAK_OUT, HOSTILE, SCRIPT, TWENTY, answer, caddy, page, served, tile

STYLE = Path(__file__).parents[1] / "components/portal_page/assets/style.css"


class Reader(HTMLParser):
    """The page as a browser takes it apart: elements with their attributes, and the text of each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(shown: PortalPage) -> Reader:
    return Reader(render(shown)["index.html"])


def test_same_page_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib, json; from tests.portal_site import TWENTY; from components.portal_page.render import *;"
        "print(hashlib.sha256((json.dumps(render(TWENTY)) + caddyfile(TWENTY)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = hashlib.sha256((json.dumps(render(TWENTY)) + caddyfile(TWENTY)).encode()).hexdigest()
    assert digests == {f"{here}\n"}


def test_assets_are_named_by_content_and_equal_on_every_host() -> None:
    monk, kscloud1 = render(page(*TWENTY.tiles)), render(page(*TWENTY.tiles, host="kscloud1"))
    assert {path for path in monk if monk[path] != kscloud1[path]} == {"index.html", "404.html"}
    for path, text in monk.items():
        if path.startswith("assets/"):
            assert path.split(".")[1] == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "shown", [page(), page(tile("portal")), TWENTY, HOSTILE], ids=["empty", "one", "20", "hostile"]
)
def test_all_that_is_loaded_is_there_and_nothing_is_inline(shown: PortalPage) -> None:
    files = render(shown)
    for path in ("index.html", "404.html"):
        reader = Reader(files[path])
        loaded = [
            str(attributes.get("src") or attributes.get("href"))
            for tag, attributes in reader.elements
            if tag in {"script", "link", "img", "use"}
        ]
        assert loaded
        assert all(address.startswith("/") and address[1:].partition("#")[0] in files for address in loaded)
        assert not reader.all("style")
        assert all("src" in attributes for attributes in reader.all("script"))
        names = {name for _, attributes in reader.elements for name in attributes}
        assert not {name for name in names if name == "style" or name.startswith("on")}


def test_icons_that_are_used_exist() -> None:
    files = render(TWENTY)
    sprite = next(text for path, text in files.items() if path.startswith("assets/icons."))
    used = {str(attributes["href"]).partition("#")[2] for attributes in Reader(files["index.html"]).all("use")}
    assert {"forgejo", "hosts", "login"} <= used <= set(re.findall(r'id="([^"]+)"', sprite))


def test_manifest_names_an_icon_that_exists() -> None:
    files = render(TWENTY)
    manifest = json.loads(next(text for path, text in files.items() if path.endswith(".webmanifest")))
    assert manifest["icons"][0]["src"].removeprefix("/") in files


def test_groups_and_tiles_keep_the_given_order() -> None:
    html = render(page(tile("zeta", group="Second"), tile("beta", group="First"), tile("alpha", group="Second")))
    found = re.findall(r"<h2 [^>]*>([^<]+)|<h3><a [^>]*>([^<]+)", html["index.html"])
    assert ["".join(pair) for pair in found][:5] == ["Second", "Zeta", "Alpha", "First", "Beta"]


@pytest.mark.parametrize(
    ("hosts", "words"),
    [(("monk",), "monk only"), (BOTH, "kscloud1 and monk"), (("a", "b", "c"), "a, b and c")],
)
def test_tile_says_where_it_stands_and_how_one_logs_in(hosts: tuple[str, ...], words: str) -> None:
    texts = read(page(tile("wiki", hosts=hosts, login="login page"))).texts
    assert words in texts
    assert "login page" in texts


GO_ON = "Sites that stand on more than one host go on, by themselves."


@pytest.mark.parametrize(
    ("tiles", "promises"),
    [
        ([tile("wiki", hosts=BOTH)], [GO_ON]),
        ([tile("git")], ["Sites marked “monk only” are away until that host is back."]),
        (
            [tile("wiki", hosts=BOTH), tile("git"), tile("mail", hosts=("attic",))],
            [GO_ON, "Sites marked “attic only” or “monk only” are away until that host is back."],
        ),
    ],
    ids=["shared", "alone", "mixed"],
)
def test_what_happens_when_a_host_is_away_follows_from_the_tiles(tiles: list[Tile], promises: list[str]) -> None:
    texts = read(page(*tiles)).texts
    at = texts.index("When a host is away") + 1
    assert texts[at : at + len(promises)] == promises
    assert texts[at + len(promises)] == "Answered by"


def test_footer_names_the_host_that_answers() -> None:
    texts = read(page(tile("git"), host="kscloud1")).texts
    assert texts[texts.index("Answered by") + 1] == "kscloud1"


def test_empty_page_says_what_to_do() -> None:
    reader = read(page())
    assert "No sites yet." in reader.texts
    assert "Nothing is flying yet" in reader.texts
    assert not reader.all("script")


def test_one_tile_needs_no_search() -> None:
    assert not read(page(tile("portal"))).all("input")
    assert len(read(page(tile("portal"), tile("wiki"))).all("input")) == 1


@pytest.mark.parametrize(
    ("name", "title", "letter"),
    [("x", "élan", "É"), ("x", "<script>", "S"), ("x", "“Quoted”", "Q"), ("x", "—", "X"), ("x", "42", "4")],
)
def test_site_without_an_icon_shows_a_letter(name: str, title: str, letter: str) -> None:
    assert re.findall(r"<text [^>]*>([^<]*)", render(page(tile(name, title=title)))["index.html"]) == [letter]


def test_known_service_shows_its_icon() -> None:
    assert "<text" not in render(page(tile("forgejo")))["index.html"]


def test_hostile_text_stays_text() -> None:
    reader = read(HOSTILE)
    assert {SCRIPT, BREAK_OUT, "<b>bold</b>", "{{ 7*7 }}"} <= set(reader.texts)
    assert len(reader.all("script")) == 1
    assert not reader.all("b")
    assert len(reader.all("img")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)//git.kitestacks.com",
        "data:text/html,x",
        "ftp://git.kitestacks.com",
        "//git.kitestacks.com",
        "",
        "https://",
        "https://monk",
        "http://100.64.0.1",
        "http://100.64.0.1:9100/metrics",
        "http://1681915905",
        "http://[fd7a:115c:a1e0::1]",
        "https://monk.tail1234.ts.net",
        "https://monk.tail1234.TS.net:8443/x",
        'https://git.kitestacks.com"onclick=x',
    ],
)
def test_address_that_no_visitor_should_get_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^tile git: url must be .* \(for example https://git\.example\.com\)$"):
        tile("git", url=url)


def test_refusal_does_not_show_a_password() -> None:
    with pytest.raises(ValueError, match="no user") as refusal:
        tile("git", url="https://kite:hunter2@git.kitestacks.com")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("url", ["https://git.kitestacks.com", "http://git.kitestacks.localhost:8080/a?b=c"])
def test_public_address_is_taken(url: str) -> None:
    shown = page(tile("git", url=url))
    assert url in [attributes["href"] for attributes in read(shown).all("a")]


def test_tile_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="tile git: hosts must name at least one host"):
        tile("git", hosts=())


@pytest.mark.parametrize("host", ["", "Monk", 'monk"', "monk\n", "mo nk", "{env.HOME}", "-monk"])
def test_host_name_that_could_break_the_configuration_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="host must be small letters, digits and hyphens"):
        page(host=host)


def test_twenty_tiles_are_light() -> None:
    files = render(TWENTY)
    assert sum(len(text.encode()) for text in files.values()) < 100_000
    assert len(gzip.compress(files["index.html"].encode())) <= 14_000
    script = next(text for path, text in files.items() if path.startswith("assets/search."))
    assert len(script.encode()) <= 5_000


def colours() -> dict[str, dict[str, str]]:
    style = STYLE.read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block)) for block in style.split(":root {")[1:3])
    return {"light": light, "dark": light | dark}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    palette = colours()[scheme]
    text = [(front, back) for front in ("ink", "soft", "link") for back in ("sky", "ground", "sheet")]
    weak = [pair for pair in text if contrast(*(palette[name] for name in pair)) < 4.5]
    weak += [("field", back) for back in ("sky", "ground", "sheet") if contrast(palette["field"], palette[back]) < 3]
    weak += [("#ffffff", hue) for hue in palette if hue.startswith("hue-") and contrast("#ffffff", palette[hue]) < 4.5]
    assert not weak


@pytest.mark.parametrize("shown", [page(), TWENTY, HOSTILE], ids=["empty", "20", "hostile"])
def test_caddy_takes_the_configuration_as_it_is(shown: PortalPage, tmp_path: Path) -> None:
    config = tmp_path / "Caddyfile"
    config.write_text(caddyfile(shown), encoding="utf-8")
    home = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    for command in ("adapt", "validate"):
        done = subprocess.run(
            [caddy(), command, "--adapter", "caddyfile", "--config", config],
            capture_output=True,
            text=True,
            env=home,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "not formatted" not in done.stderr
    adapted = json.loads(
        subprocess.run([caddy(), "adapt", "--config", config], capture_output=True, check=True, env=home).stdout
    )
    assert adapted["admin"] == {"disabled": True}
    (server,) = adapted["apps"]["http"]["servers"].values()
    assert server["listen"] == [":80"]
    assert server["automatic_https"] == {"disable": True}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> object:
    with served(TWENTY, tmp_path_factory.mktemp("portal")) as number:
        yield number


ASSETS = [path for path in render(TWENTY) if path.startswith("assets/")]
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/", "/healthz", "/robots.txt", f"/{ASSETS[0]}", "/nothing/here", "/assets/gone.js"])
def test_every_answer_is_guarded(port: int, path: str) -> None:
    _, headers, _ = answer(port, path)
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["x-answered-by"] == "monk"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        ("/", 200, "no-cache"),
        ("/robots.txt", 200, "no-cache"),
        ("/healthz", 200, "no-store"),
        ("/nothing/here", 404, "no-store"),
        ("/assets/gone.js", 404, "no-store"),
        *((f"/{path}", 200, "public, max-age=31536000, immutable") for path in ASSETS),
    ],
)
def test_how_long_an_answer_may_be_kept(port: int, path: str, status: int, kept: str) -> None:
    found, headers, _ = answer(port, path)
    assert (found, headers["cache-control"]) == (status, kept)


def test_health_needs_no_login(port: int) -> None:
    assert answer(port, "/healthz")[::2] == (200, b"ok")


def test_unknown_path_gets_a_page_that_leads_home(port: int) -> None:
    assert answer(port, "/nothing/here")[2].decode() == render(TWENTY)["404.html"]


@pytest.mark.parametrize("path", ["/../Caddyfile", "/%2e%2e/Caddyfile", "/assets/", "/assets"])
def test_nothing_but_the_page_is_shown(port: int, path: str) -> None:
    assert answer(port, path)[0] == 404


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_page_is_sent_again_only_when_it_changed(port: int, encoding: str) -> None:
    status, headers, _ = answer(port, "/", {"Accept-Encoding": encoding})
    assert status == 200
    assert headers["etag"] == f'W/"{hashlib.sha256(render(TWENTY)["index.html"].encode()).hexdigest()[:16]}"'
    assert "last-modified" not in headers
    again = {"Accept-Encoding": encoding, "If-None-Match": headers["etag"]}
    assert answer(port, "/", again)[::2] == (304, b"")
    again["If-None-Match"] = 'W/"0123456789abcdef"'
    assert answer(port, "/", again)[0] == 200


def test_pages_that_differ_in_the_host_alone_have_other_tags() -> None:
    tags = [re.findall(r'W/\\"([0-9a-f]{16})', caddyfile(page(host=host))) for host in ("monk", "kscloud1")]
    assert len({tag for (tag,) in tags}) == 2


def test_page_is_compressed(port: int) -> None:
    _, headers, body = answer(port, "/", {"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body).decode() == render(TWENTY)["index.html"]
