"""The portal in headless Chromium, served by the real Caddy with its real headers."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.portal_site import BREAK_OUT, HOSTILE, SCRIPT, TWENTY, page, served, tile

pytest.importorskip("playwright", reason="needs Playwright: pip install -r requirements-dev.txt")
pytest.importorskip("axe_playwright_python", reason="needs axe: pip install -r requirements-dev.txt")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = pytest.mark.browser

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (360, 1280)]
PAGES = {"20": TWENTY, "hostile": HOSTILE, "one": page(tile("portal")), "empty": page()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    # Chromium's own sandbox refuses to start for root, which is what a container's tests run as.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where each of the pages is served."""
    running = [(name, served(shown, tmp_path_factory.mktemp(name))) for name, shown in PAGES.items()]
    ports: dict[str, str] = {}
    try:
        for name, site in running:
            ports[name] = f"http://127.0.0.1:{site.__enter__()}/"
        yield ports
    finally:
        for _, site in running[: len(ports)]:
            site.__exit__(None, None, None)


@pytest.fixture
def context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens a fresh context with the given options."""
    opened = []

    def fresh(**options: Any) -> BrowserContext:  # noqa: ANN401 - Playwright's own options
        opened.append(browser.new_context(**options))
        return opened[-1]

    yield fresh
    for one in opened:
        one.close()


@pytest.fixture
def portal(context: Callable[..., BrowserContext], address: dict[str, str]) -> Page:
    """The page of twenty tiles on a desk's screen; where its links lead, a stand-in answers, never the network."""
    desk = context(viewport={"width": 1280, "height": 800})
    desk.route("https://**", lambda route: route.fulfill(body="arrived"))
    shown = desk.new_page()
    shown.goto(address["20"])
    return shown


def find(shown: Page) -> Locator:
    return shown.get_by_role("searchbox", name="Find a site")


def visible_titles(shown: Page) -> list[str]:
    return [link.inner_text() for link in shown.locator(".tile a").all() if link.is_visible()]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_quiet_and_keeps_to_its_own_origin(
    context: Callable[..., BrowserContext], address: dict[str, str], name: str, scheme: str, width: int
) -> None:
    shown = context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    requests: list[str] = []
    failed: list[str] = []
    noise: list[str] = []
    shown.on("request", lambda request: requests.append(request.url))
    shown.on("response", lambda response: None if response.ok else failed.append(response.url))
    shown.on("requestfailed", lambda request: failed.append(request.url))
    shown.on("console", lambda message: noise.append(message.text))
    shown.on("pageerror", lambda error: noise.append(str(error)))
    shown.on("dialog", lambda dialog: noise.append(dialog.message))
    shown.add_init_script(
        "window.refused = [];"
        "document.addEventListener('securitypolicyviolation', event => refused.push(event.violatedDirective))"
    )
    shown.goto(address[name])
    shown.evaluate("() => new Promise(done => requestIdleCallback(done))")
    assert all(url.startswith(address[name]) for url in requests)
    assert 3 <= len(set(requests)) <= 10
    assert (failed, noise, shown.evaluate("window.refused")) == ([], [], [])
    assert shown.evaluate("document.documentElement.scrollWidth") == width


def test_what_the_policy_forbids_is_refused(context: Callable[..., BrowserContext], address: dict[str, str]) -> None:
    shown = context().new_page()
    noise: list[str] = []
    shown.on("console", lambda message: noise.append(message.text))
    shown.goto(address["20"])
    with shown.expect_console_message(lambda message: "Content Security Policy" in message.text):
        shown.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    assert shown.title() != "1"


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    context: Callable[..., BrowserContext], address: dict[str, str], name: str, scheme: str, width: int
) -> None:
    # axe is injected as a script, which the page's policy would refuse.
    shown = context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True).new_page()
    shown.goto(address[name])
    results = Axe().run(shown, options={"runOnly": AXE_TAGS})
    assert results.response["passes"]
    assert [violation["id"] for violation in results.response["violations"]] == []


@pytest.mark.parametrize("path", ["", "nothing/here"])
def test_axe_finds_nothing_while_searching_nor_on_the_way_home(
    context: Callable[..., BrowserContext], address: dict[str, str], path: str
) -> None:
    shown = context(bypass_csp=True, color_scheme="dark").new_page()
    shown.goto(address["20"] + path)
    if not path:
        find(shown).fill("git")
    assert [one["id"] for one in Axe().run(shown, options={"runOnly": AXE_TAGS}).response["violations"]] == []


def test_slash_focuses_typing_filters_escape_clears(portal: Page) -> None:
    portal.keyboard.press("/")
    expect(find(portal)).to_be_focused()
    expect(find(portal)).to_have_value("")
    portal.keyboard.type("figures")
    assert visible_titles(portal) == ["Prometheus", "Grafana"]
    expect(portal.get_by_role("status")).to_have_text("2 of 20. Enter opens Prometheus.")
    assert portal.locator(".group:visible h2").all_inner_texts() == ["Operations"]
    portal.keyboard.press("Escape")
    expect(find(portal)).to_have_value("")
    expect(find(portal)).to_be_focused()
    assert len(visible_titles(portal)) == 20
    expect(portal.get_by_role("status")).to_have_text("")


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("cafe", ["Café"]),
        ("CAFÉ", ["Café"]),
        ("  making   code ", ["Forgejo"]),
        ("attic", ["Calendar"]),
        ("open-webui.kitestacks", ["Open WebUI"]),
        ("public", ["Portal"]),
        ("a/b", []),
        (".*", []),
    ],
)
def test_search_looks_at_all_that_a_tile_says(portal: Page, typed: str, titles: list[str]) -> None:
    find(portal).press_sequentially(typed)
    assert visible_titles(portal) == titles


def test_search_without_a_match_says_so(portal: Page) -> None:
    find(portal).fill("nothing like it")
    expect(portal.get_by_role("status")).to_have_text("No site matches. Esc shows all again.")
    before = portal.url
    portal.keyboard.press("Enter")
    assert portal.url == before


def test_enter_opens_the_first_match(portal: Page) -> None:
    portal.keyboard.press("/")
    portal.keyboard.type("forg")
    portal.keyboard.press("Enter")
    portal.wait_for_url("https://forgejo.kitestacks.com/")


def test_enter_in_an_empty_field_goes_nowhere(portal: Page) -> None:
    before = portal.url
    portal.keyboard.press("/")
    portal.keyboard.press("Enter")
    assert portal.url == before


def test_arrows_move_between_tiles(portal: Page) -> None:
    def focused() -> str:
        return str(portal.evaluate("document.activeElement.textContent || document.activeElement.id"))

    portal.keyboard.press("/")
    seen = []
    # The group Start has two tiles, Knowledge three: down from Authentik lies the second of Knowledge.
    for key in ("Down", "Right", "Down", "Left", "Up", "Up"):
        portal.keyboard.press(f"Arrow{key}")
        seen.append(focused())
    assert seen == ["Portal", "Authentik", "Karakeep", "BookStack", "Portal", "find"]


def test_arrows_skip_what_the_search_hides(portal: Page) -> None:
    find(portal).fill("figures")
    portal.keyboard.press("ArrowDown")
    portal.keyboard.press("ArrowRight")
    portal.keyboard.press("Enter")
    portal.wait_for_url("https://grafana.kitestacks.com/")


def test_keys_of_the_browser_are_left_alone(portal: Page) -> None:
    portal.keyboard.press("Control+/")
    expect(find(portal)).not_to_be_focused()
    find(portal).press_sequentially("a/b")
    expect(find(portal)).to_have_value("a/b")


def test_page_is_whole_without_script(context: Callable[..., BrowserContext], address: dict[str, str]) -> None:
    shown = context(java_script_enabled=False).new_page()
    shown.goto(address["20"])
    links = shown.locator(".tile a")
    assert [link.get_attribute("href") for link in links.all()] == [one.url for one in TWENTY.tiles]
    assert all(link.is_visible() for link in links.all())
    expect(shown.locator("#find")).to_be_hidden()


def test_hostile_text_is_shown_as_text(context: Callable[..., BrowserContext], address: dict[str, str]) -> None:
    shown = context().new_page()
    shown.goto(address["hostile"])
    expect(shown.get_by_role("link", name=SCRIPT)).to_be_visible()
    expect(shown.get_by_text(BREAK_OUT)).to_be_visible()


def test_first_stop_of_the_keyboard_leads_to_the_sites(portal: Page) -> None:
    portal.keyboard.press("Tab")
    skip = portal.get_by_role("link", name="Skip to the sites")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    portal.keyboard.press("Enter")
    expect(portal.get_by_role("main")).to_be_focused()
    portal.keyboard.press("Tab")
    expect(portal.get_by_role("link", name="Portal")).to_be_focused()


def test_tab_reaches_every_site_and_focus_can_be_seen(portal: Page) -> None:
    find(portal).focus()
    for expected in TWENTY.tiles:
        portal.keyboard.press("Tab")
        outline = portal.evaluate("getComputedStyle(document.activeElement, '::after').outlineStyle")
        assert (portal.evaluate("document.activeElement.textContent"), outline) == (expected.title, "solid")


def test_targets_are_large_enough_to_touch(context: Callable[..., BrowserContext], address: dict[str, str]) -> None:
    phone = context(viewport={"width": 360, "height": 800}, has_touch=True)
    phone.route("https://**", lambda route: route.fulfill(body="arrived"))
    shown = phone.new_page()
    shown.goto(address["20"])
    boxes = [shown.locator(".tile").nth(at).bounding_box() for at in range(20)] + [find(shown).bounding_box()]
    assert all(box and box["width"] >= 24 and box["height"] >= 24 for box in boxes)
    # The whole card opens the site, not its title alone.
    shown.locator(".tile", has_text="Code and reviews").tap(position={"x": 10, "y": 10})
    shown.wait_for_url("https://forgejo.kitestacks.com/")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_the_page_loads(
    context: Callable[..., BrowserContext], address: dict[str, str], width: int
) -> None:
    shown = context(viewport={"width": width, "height": 800}).new_page()
    shown.goto(address["20"], wait_until="networkidle")
    moved = shown.evaluate(
        """() => new Promise(done => {
            const seen = new PerformanceObserver(list => done(list.getEntries().length));
            seen.observe({type: "layout-shift", buffered: true});
            setTimeout(() => done(0), 100);
        })"""
    )
    assert moved == 0


def test_paper_is_white_and_shows_the_sites_without_search(
    context: Callable[..., BrowserContext], address: dict[str, str]
) -> None:
    shown = context(color_scheme="dark").new_page()
    shown.goto(address["20"])
    shown.emulate_media(media="print")
    expect(find(shown)).to_be_hidden()
    expect(shown.get_by_text("forgejo.kitestacks.com")).to_be_visible()
    expect(shown.locator(".tile").first).to_have_css("background-color", "rgb(255, 255, 255)")
