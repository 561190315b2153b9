"""The ring behind the site proxies: a host loses its power, and the tailnet is cut, while people save pages at both.

Real: both databases, both proxies from their rendered configuration, the stack files' own timing, the contract's
figures. What is measured is printed: `pytest -s`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artefacts import ring_world
from tests.artefacts.failover_world import Hosts, Visitor, promised, visitors
from tests.artefacts.line import Line
from tests.artefacts.ring_world import PRIMARY, STANDBY, Server, same, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def hosts(empty: Path, tmp_path: Path) -> Iterator[Hosts]:
    databases = {host: Server(host=host, folder=empty.parent / host) for host in (PRIMARY, STANDBY)}
    lines = {host: Line(server.port) for host, server in databases.items()}
    for host, server in databases.items():
        server.tailnet = lines[host].port
        lines[host].start()
    try:
        ring_world.join(empty, databases[PRIMARY], databases[STANDBY])
        with Hosts(tmp_path, databases, lines) as world:
            yield world
    finally:
        for host, server in databases.items():
            server.stop()
            lines[host].stop()


def test_monk_loses_its_power_while_people_write_and_comes_back_with_nothing_missing(hosts: Hosts) -> None:
    with visitors(hosts) as both:
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)
        hosts.lose_power(PRIMARY)
        both[STANDBY].wait_for(12, STANDBY)
        hosts.boot(PRIMARY)
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)

    within(promised("monk gone"), both[STANDBY], "monk without power")
    nothing_is_missing(hosts, both)


def test_cut_tailnet_leaves_one_writer_because_proxies_take_the_second_way(hosts: Hosts) -> None:
    standby = hosts.databases[STANDBY]
    with visitors(hosts) as both:
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)
        before = own_changes(standby)
        hosts.cut_tailnet()
        for visitor in both.values():
            visitor.wait_for(40, PRIMARY)
        assert not standby.runs() or standby.numbers() < hosts.databases[PRIMARY].numbers(), "the line is cut"
        assert own_changes(standby) == before, "a second writer"
        hosts.mend_tailnet()
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)

    assert own_changes(standby) == before
    assert {each.by for visitor in both.values() for each in visitor.saved} == {PRIMARY}
    for visitor in both.values():
        within(promised("tailnet cut"), visitor, "tailnet cut")
    nothing_is_missing(hosts, both)


def test_with_both_ways_cut_each_host_takes_its_visitors_and_new_pages_of_both_meet_again(hosts: Hosts) -> None:
    """The contract says so; and the test above would see it."""
    monk, standby = (hosts.databases[host] for host in (PRIMARY, STANDBY))
    with visitors(hosts) as both:
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)
        before = own_changes(standby)
        hosts.cut_tailnet()
        hosts.cloudflare.tunnel_dead = True
        for host, visitor in both.items():
            visitor.wait_for(12, host)
        assert own_changes(standby) != before
        hosts.mend_tailnet()
        hosts.cloudflare.tunnel_dead = False
        apart = {each.number for each in tuple(both[STANDBY].saved) if each.by == STANDBY}
        until(lambda: monk.numbers() >= apart, monk.following)
        for visitor in both.values():
            visitor.wait_for(8, PRIMARY)

    within(promised("tailnet cut and monk's tunnel gone"), both[STANDBY], "both ways cut")
    nothing_is_missing(hosts, both)


def own_changes(server: Server) -> str:
    """How far a side's own log has come: it holds nothing that came from the other side."""
    return server.execute_sql("SELECT @@GLOBAL.gtid_binlog_pos")


def within(seconds: int, visitor: Visitor, fault: str) -> None:
    silence = visitor.silence()
    print(f"{fault}: {visitor.door}'s visitors got nothing saved for {silence:.1f} s; promised {seconds} s")  # noqa: T201
    assert silence <= seconds


def nothing_is_missing(hosts: Hosts, both: dict[str, Visitor]) -> None:
    """Every page that somebody was told is saved is on both sides, which are equal and go on following."""
    monk, kscloud1 = (hosts.databases[host] for host in (PRIMARY, STANDBY))
    same(monk, kscloud1)
    saved = {each.number for visitor in both.values() for each in visitor.saved}
    assert saved <= monk.numbers() == kscloud1.numbers()
    print(f"{len(saved)} pages saved, {len(monk.numbers())} on each side, checksums {monk.checksums()!r}")  # noqa: T201
