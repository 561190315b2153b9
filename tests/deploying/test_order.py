"""Which host is deployed first: the foundation, unless another one has to migrate what both have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from components import deployed
from components.fleet_files import fleet_of_files
from kitestacks.deploying.order import changed_services, check_writers, in_order
from kitestacks.exits import CommandError
from tests.deploying.test_host import PlayedEngine

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

NEWER = "lscr.io/linuxserver/bookstack:v26.06.0-ls300"
BOTH = ("monk", "kscloud1")


@pytest.fixture
def engine(files: StackFiles) -> PlayedEngine:
    """Both hosts as they were deployed."""
    outputs = {stack: {deployed.OUTPUT: deployed.output(files.fleet(stack))} for stack in BOTH}
    return PlayedEngine(files=files.folder, before=outputs)


def ordered(engine: PlayedEngine, files: StackFiles, *hosts: str) -> list[str]:
    """As the command does it."""
    fleet = files.fleet("monk")
    changed = changed_services(fleet, partial(fleet_of_files, engine.files), engine)
    order = [host for host in in_order(fleet, changed) if not hosts or host in hosts]
    check_writers(fleet, changed, order)
    return order


def test_foundation_comes_first(engine: PlayedEngine, files: StackFiles) -> None:
    files.add_host("attic")
    files.edit("monk", "services.portal.image", "caddy:2.12.0-alpine")

    assert ordered(engine, files) == ["kscloud1", "attic", "monk"]


def test_host_that_writes_the_wiki_migrates_before_the_one_that_takes_over(
    engine: PlayedEngine, files: StackFiles
) -> None:
    for host in BOTH:
        files.edit(host, "services.bookstack.image", NEWER)

    assert ordered(engine, files) == ["monk", "kscloud1"]
    assert ordered(engine, files, "monk") == ["monk"]
    with pytest.raises(CommandError, match="bookstack on kscloud1 takes over from monk, which has to migrate first"):
        ordered(engine, files, "kscloud1")


def test_whoever_is_the_primary_is_the_one_that_writes(engine: PlayedEngine, files: StackFiles) -> None:
    for host in BOTH:
        files.edit(host, "services.bookstack.image", NEWER).edit(host, "services.bookstack.site.primary", "kscloud1")

    assert ordered(engine, files) == ["kscloud1", "monk"]


def test_writer_that_has_the_image_already_leaves_the_foundation_first(engine: PlayedEngine, files: StackFiles) -> None:
    for host in BOTH:
        files.edit(host, "services.bookstack.image", NEWER)
    engine.before["monk"] = {deployed.OUTPUT: deployed.output(files.fleet("monk"))}

    assert ordered(engine, files) == ["kscloud1", "monk"]
    assert ordered(engine, files, "kscloud1") == ["kscloud1"]


@pytest.mark.parametrize("hosts", [(), ("kscloud1",)])
def test_new_image_for_the_one_that_takes_over_alone_is_refused(
    hosts: tuple[str, ...], engine: PlayedEngine, files: StackFiles
) -> None:
    files.edit("kscloud1", "services.bookstack.image", NEWER)

    with pytest.raises(CommandError, match=r"services\.bookstack\.image must be the same on monk, which migrates"):
        ordered(engine, files, *hosts)


def test_new_image_for_the_writer_alone_is_deployed(engine: PlayedEngine, files: StackFiles) -> None:
    files.edit("monk", "services.bookstack.image", NEWER)

    assert ordered(engine, files) == ["kscloud1", "monk"]
