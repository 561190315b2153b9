"""The portal's page: what is declared, turned into files. No Output, no clock, no network: same page, same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent
_HUES = 6
"""How many colours the style has for groups; the next group begins again."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PUBLIC_NAME = re.compile(r"(?!.*\.ts\.net(:|$))([a-z0-9-]+\.)+[a-z][a-z0-9-]*(:[0-9]+)?")
"""At least two labels, the last no number: neither an IP address nor a name that only the tailnet knows."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One site on the page.

    Attributes:
        name: The service's name; picks the icon, and a letter where there is none.
        title: What people call it.
        description: One line, what it is for; may be empty.
        url: Where it is opened, `http` or `https`, by name.
        group: The heading it stands under; groups come in the order of their first tile.
        hosts: The hosts that carry it, at least one.
        login: What a visitor meets: "public", "single sign-on" or "login page".

    Raises:
        ValueError: The address could run script, or would show visitors an address of the private network.
    """

    name: str
    title: str
    description: str
    url: str
    group: str
    hosts: tuple[str, ...]
    login: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not _PUBLIC_NAME.fullmatch(parts.netloc.lower()):
            raise ValueError(
                f"tile {self.name}: url must be http or https with a public name and no user, "
                f"got {parts._replace(netloc=parts.hostname or '').geturl()!r} (for example https://{self.name}.example.com)"
            )
        if not self.hosts:
            raise ValueError(f"tile {self.name}: hosts must name at least one host, got none")


@dataclass(frozen=True, kw_only=True)
class PortalPage:
    """The whole page, as one host shows it.

    Attributes:
        domain: The zone of the sites, for the heading.
        host: The host that answers with this copy.
        tiles: The sites in the owner's order; may be empty.

    Raises:
        ValueError: The host's name could not stand in a header.
    """

    domain: str
    host: str
    tiles: tuple[Tile, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.host):
            raise ValueError(f"host must be small letters, digits and hyphens, got {self.host!r} (for example monk)")


@dataclass(frozen=True, kw_only=True)
class _Group:
    title: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, kw_only=True)
class _Promise:
    layers: int
    text: str


def render(page: PortalPage) -> dict[str, str]:
    """The page's files.

    Args:
        page: What to show.

    Returns:
        Text by path relative to the web root. Files in `assets/` carry the hash of their content in their name and are
        the same on every host. The same page gives the same bytes, so that nothing is replaced for nothing.
    """
    assets = _assets()
    names = {name: path for name, (path, _) in assets.items()}
    icons = assets["icons.svg"][1]
    html = {
        path: _ENVIRONMENT.get_template(f"{path}.j2").render(
            page=page,
            assets=names,
            icon_names=frozenset(re.findall(r'symbol id="([a-z-]+)"', icons)),
            groups=_groups(page.tiles),
            hues=_HUES,
            summary=_summary(page),
            promises=_promises(page.tiles),
            letter=_letter,
            address=_address,
            where=_where,
        )
        for path in ("index.html", "404.html")
    }
    # Crawlers may read the page, or they would never see that it asks not to be listed.
    return html | {"robots.txt": "User-agent: *\nDisallow:\n"} | dict(assets.values())


def caddyfile(page: PortalPage) -> str:
    """The configuration with which Caddy (2.6 or later) serves `render(page)` from /srv on port 80.

    Args:
        page: What is served; its hash becomes the entity tag, its host the header `X-Answered-By`.

    Returns:
        A Caddyfile. `/healthz` answers `ok` without login. No certificate is asked for and nothing is listened on
        besides: visitors' https ends before the tunnel.
    """
    return _ENVIRONMENT.get_template("Caddyfile.j2").render(page=page, etag=_hash(render(page)["index.html"]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _assets() -> dict[str, tuple[str, str]]:
    """Hashed path and text of each asset by its plain name."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted((_HERE / "assets").iterdir())}
    texts["site.webmanifest"] = _manifest(_hashed("icon.svg", texts["icon.svg"]))
    return {name: (_hashed(name, text), text) for name, text in texts.items()}


def _hashed(name: str, text: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"assets/{stem}.{_hash(text)}.{suffix}"


def _manifest(icon: str) -> str:
    return json.dumps(
        {
            "name": "KiteStacks",
            "short_name": "KiteStacks",
            "id": "/",
            "start_url": "/",
            "display": "standalone",
            "background_color": "#e3eefb",
            "theme_color": "#e3eefb",
            "icons": [{"src": f"/{icon}", "type": "image/svg+xml", "sizes": "any"}],
        },
        indent=2,
    )


def _groups(tiles: tuple[Tile, ...]) -> tuple[_Group, ...]:
    titles = dict.fromkeys(tile.group for tile in tiles)
    return tuple(_Group(title=title, tiles=tuple(tile for tile in tiles if tile.group == title)) for title in titles)


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _where(hosts: tuple[str, ...]) -> str:
    return _and(list(hosts)) if len(hosts) > 1 else f"{hosts[0]} only"


def _summary(page: PortalPage) -> str:
    hosts = list(dict.fromkeys(host for tile in page.tiles for host in tile.hosts))
    if not hosts:
        return "No sites yet."
    return f"{len(page.tiles)} {'site' if len(page.tiles) == 1 else 'sites'} on {_and(hosts)}."


def _promises(tiles: tuple[Tile, ...]) -> tuple[_Promise, ...]:
    """What happens to which sites when a host is away, in words."""
    promises = []
    if any(len(tile.hosts) > 1 for tile in tiles):
        text = "Sites that stand on more than one host go on, by themselves."
        promises.append(_Promise(layers=2, text=text))
    alone = sorted({tile.hosts[0] for tile in tiles if len(tile.hosts) == 1})
    if alone:
        marks = " or ".join(f"“{host} only”" for host in alone)
        text = f"Sites marked {marks} are away until that host is back."
        promises.append(_Promise(layers=1, text=text))
    return tuple(promises)


def _letter(tile: Tile) -> str:
    return next((letter for letter in tile.title if letter.isalnum()), tile.name[:1]).upper()


def _address(url: str) -> str:
    return url.partition("://")[2].removesuffix("/")


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
