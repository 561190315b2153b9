"""Every broken stack file stops `pulumi preview` with the words of the table; nothing is made."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.refusals import REFUSALS, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def deployed(lab: Lab) -> Lab:
    lab.up("kscloud1")
    return lab


@pytest.fixture
def fresh(deployed: Lab) -> Iterator[Lab]:
    yield deployed
    deployed.restore()


def test_other_host_before_the_foundation_is_told_what_to_run(lab: Lab) -> None:
    before = lab.cloud()

    preview = lab.pulumi("preview", "-s", "monk")
    update = lab.pulumi("up", "--yes", "--skip-preview", "-s", "monk")

    for finished in (preview, update):
        assert finished.status != 0
        assert "kscloud1: stack monk needs kscloud1, which has not been deployed" in finished.output
        assert "run `pulumi up -s kscloud1` first" in finished.output
        assert "Traceback" not in finished.output
    assert lab.cloud() == before


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.id)
def test_broken_stack_file_stops_the_preview(refusal: Refusal, fresh: Lab) -> None:
    before = fresh.cloud()
    refusal.apply(fresh.files)
    fresh.render()
    if refusal.hosts:
        fresh.make_stack(refusal.stack)

    finished = fresh.pulumi("preview", "-s", refusal.stack)

    assert finished.status != 0
    for words in refusal.says:
        assert words in finished.output
    assert "Traceback" not in finished.output
    assert fresh.cloud() == before


def test_missing_secret_stops_the_preview_with_the_command(fresh: Lab) -> None:
    fresh.pulumi("config", "rm", "cloudflare:apiToken", "-s", "monk")

    finished = fresh.pulumi("preview", "-s", "monk")

    fresh.make_stack("monk")
    assert finished.status != 0
    assert "cloudflare:apiToken: must be set, encrypted (type: pulumi config set --secret" in finished.output


def test_single_writer_service_dropped_in_as_one_file_is_refused_on_two_hosts(fresh: Lab) -> None:
    """A new service is one file; here one that keeps something, declared by both hosts."""
    components = fresh.twin.project / "components"
    program = components.resolve()
    components.unlink()
    copy = fresh.twin.project / "components"
    shutil.copytree(program, copy, ignore=shutil.ignore_patterns("__pycache__"))
    try:
        text = (copy / "services" / "portal.py").read_text()
        (copy / "services" / "diary.py").write_text(text.replace("StateClass.STATELESS", "StateClass.SINGLE_WRITER"))
        for stack in ("monk", "kscloud1"):
            fresh.files.edit(stack, "services.diary", {"image": "caddy:2.11.4-alpine"})
        fresh.render()

        finished = fresh.pulumi("preview", "-s", "monk")
    finally:
        shutil.rmtree(copy)
        components.symlink_to(program)

    assert finished.status != 0
    assert "services.diary: must stand on one host, got it on monk and kscloud1: it is single-writer" in finished.output
