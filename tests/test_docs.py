"""The documents hold to what is there: commands, links, settings, pictures, and the example of a new service."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import toolchain
from components.services import KNOWN_SERVICES
from components.settings_table import settings, with_table
from kitestacks.__main__ import COMMANDS, parser_of

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PLACEHOLDERS = {"<command>": "doctor", "<id>": "0" * 32, "<host>": "monk"}
FAULT = (
    "**You notice:**",
    "**Still works:**",
    "**Is it real?**",
    "**Do now**",
    "**Bring it back**",
    "**Check it is over**",
    "**If that fails.**",
    "**Last rehearsed:**",
)
FORBIDDEN = (
    r"/work/|/tmp/w\b",
    r"\b(TODO|TBD|FIXME|coming soon)\b",
    r"\b(seamless|blazing|effortless|world-class|enterprise-grade|zero[- ]downtime|bulletproof)\b",
)


def _page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _code(text: str) -> Iterator[str]:
    """Everything on a page that a reader may type: indented and fenced lines, and words in backticks."""
    for line in text.splitlines():
        if line.startswith("    "):
            yield line.strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def _prose(text: str) -> str:
    """A page without what is typed or drawn."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def _commands(page: Path, program: str) -> list[list[str]]:
    """The words after a program's name, each time that a page types it, without comments, pipes and redirections."""
    found = []
    for code in _code(page.read_text()):
        for piece in re.split(r"&&|;|\||\s#|\s>\s", code):
            words = piece.strip().removeprefix("$ ")
            if words.startswith(f"{program} "):
                plain = words.removeprefix(program)
                for placeholder, value in PLACEHOLDERS.items():
                    plain = plain.replace(placeholder, value)
                found.append(shlex.split(plain))
    return found


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pages_type_commands_at_all() -> None:
    """The tests below would pass on pages without commands, or with a broken search for them."""
    assert ["rehearsal"] in _commands(ROOT / "README.md", "make")
    assert ["up", "-s", "kscloud1"] in _commands(ROOT / "README.md", "pulumi")
    assert ["orphans", "-s", "monk", "--remove"] in _commands(ROOT / "RUNBOOK.md", "python3 -m kitestacks")


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    typed = {word for command in _commands(page, "make") for word in command if "=" not in word}

    assert typed <= targets


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_every_command_of_ours_is_accepted_by_its_own_parser(page: Path) -> None:
    for name, *arguments in _commands(page, "python3 -m kitestacks"):
        assert name in COMMANDS
        if "--help" not in arguments:
            parser_of(name).parse_args(arguments)


@pytest.mark.engine
@pytest.mark.skipif(toolchain.find() is None, reason="no Pulumi engine here: make toolchain")
def test_every_pulumi_command_and_flag_is_known_to_the_engine() -> None:
    tools = toolchain.find()
    assert tools is not None
    typed: dict[tuple[str, ...], set[str]] = {}
    for page in PAGES:
        for words in _commands(page, "pulumi"):
            verb = tuple(words[:2]) if words[0] in ("config", "stack", "plugin") else tuple(words[:1])
            flags = typed.setdefault(verb, set())
            flags |= {word.partition("=")[0] for word in words if word.startswith("-")}
    for verb, flags in typed.items():
        shown = subprocess.run([tools.engine, *verb, "--help"], capture_output=True, text=True, check=True).stdout
        usage, _, aliases = shown.partition("Usage:\n")[2].partition("\nFlags:")[0].partition("\nAliases:\n")
        assert f"pulumi {' '.join(verb)} " in usage or verb[-1] in re.findall(r"\w+", aliases), verb
        assert flags <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown)), verb


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_every_link_inside_the_repository_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page.read_text())):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_page_has_forbidden_words(page: Path, pattern: str) -> None:
    assert not re.findall(pattern, page.read_text(), flags=re.IGNORECASE)


def test_readme_is_short_and_its_first_screen_has_all() -> None:
    text = (ROOT / "README.md").read_text()
    first_screen = "\n".join(text.splitlines()[:40])

    assert 700 <= len(_prose(text).split()) <= 1000
    for part in ("```mermaid", "make rehearsal", "make test"):
        assert part in first_screen
    order = [text.index(f"\n## {heading}\n") for heading in ("Two commands", "Go live", "What is not there yet")]
    assert order == sorted(order)


def test_readme_picture_has_at_most_ten_boxes() -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    boxes = set(re.findall(r"(\w+) ?[\[({]", picture))

    assert 5 <= len(boxes) <= 10


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())
        waiting += [(page.parent / link).resolve() for link in links]

    assert set(PAGES) <= reached


def test_runbook_has_one_form_for_every_fault() -> None:
    head, *faults = re.split(r"^## ", (ROOT / "RUNBOOK.md").read_text(), flags=re.MULTILINE)
    titles = [fault.partition("\n")[0] for fault in faults]

    assert titles[:4] == ["monk is gone", "kscloud1 is gone", "Tunnel down", "Update was killed"]
    for title, fault in zip(titles, faults, strict=True):
        assert f"(#{title.lower().replace(' ', '-')})" in head, "the table at the top leads to every fault"
        places = [fault.find(part) for part in FAULT]
        assert -1 not in places, (title, FAULT[places.index(-1)])
        assert places == sorted(places), title


def test_containers_that_the_runbook_types_exist() -> None:
    known = set(json.loads((ROOT / "tests/golden/monk.containers.json").read_text()))
    typed: set[str] = set()
    for verb, *words in _commands(ROOT / "RUNBOOK.md", "docker"):
        if verb in ("restart", "logs", "inspect"):
            typed |= {word for word in words if re.fullmatch(r"[a-z][a-z-]+", word)}

    assert typed
    assert typed <= known


def test_settings_page_is_what_the_models_say() -> None:
    page = (DOCS / "stack-file.md").read_text()

    assert page == with_table(page), "make schema"


def test_every_setting_says_what_it_is() -> None:
    assert [path for path, meaning, _ in settings() if not meaning] == []


def test_settings_page_names_every_service() -> None:
    text = (DOCS / "stack-file.md").read_text()
    assert all(f"`{name}`" in text for name in KNOWN_SERVICES)


def test_decisions_are_numbered_without_gaps_listed_and_of_one_form() -> None:
    index = (DOCS / "decisions/README.md").read_text()

    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for number, page in enumerate(DECISIONS, start=1):
        text = page.read_text()
        assert text.startswith(f"# {number}. ")
        assert f"| [{number}]({page.name}) |" in index
        places = [text.find(f"**{part}.**") for part in ("Context", "Decision", "Consequence", "Alternatives")]
        assert -1 not in places, page.name
        assert places == sorted(places), page.name


def _blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the project with the example of adding-a-service.md put in as the page says."""
    for part in ("components", "kitestacks"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("__main__.py", "pyproject.toml", *(path.name for path in ROOT.glob("Pulumi*.yaml"))):
        shutil.copy(ROOT / part, tmp_path / part)
    (tmp_path / "tests/services").mkdir(parents=True)
    for part in (
        "__init__.py",
        "conftest.py",
        "recorder.py",
        "golden_files.py",
        "stack_files.py",
        "services/__init__.py",
        "services/plans.py",
    ):
        shutil.copy(ROOT / "tests" / part, tmp_path / "tests" / part)
    service, test = _blocks("adding-a-service.md", "python")
    (block,) = _blocks("adding-a-service.md", "yaml")
    (tmp_path / "components/services/shelf.py").write_text(service)
    (tmp_path / "tests/services/test_shelf.py").write_text(test)
    file = tmp_path / "Pulumi.monk.yaml"
    file.write_text(file.read_text().replace("  kitestacks:services:\n", f"  kitestacks:services:\n{block}"))
    return tmp_path


def _python(folder: Path, *module: str) -> subprocess.CompletedProcess[str]:
    """Runs a module in a folder, where the folder's own packages are found and not this project's."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_example_of_a_new_service_passes_its_own_test(example: Path) -> None:
    finished = _python(example, "pytest", "-q", "-p", "no:cacheprovider", "tests/services/test_shelf.py")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 passed" in finished.stdout


def test_example_of_a_new_service_refuses_a_block_without_its_text(example: Path) -> None:
    file = example / "Pulumi.monk.yaml"
    file.write_text(re.sub(r"\n +greeting: .*", "", file.read_text()))

    finished = _python(example, "pytest", "-q", "-p", "no:cacheprovider", "tests/services/test_shelf.py")

    assert finished.returncode == 1
    assert "services.shelf.greeting: must be set" in finished.stdout


def test_example_of_a_new_service_is_clean_for_the_linter(example: Path) -> None:
    files = ["components/services/shelf.py", "tests/services/test_shelf.py"]

    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        finished = _python(example, "ruff", *check, *files)
        assert finished.returncode == 0, finished.stdout + finished.stderr
