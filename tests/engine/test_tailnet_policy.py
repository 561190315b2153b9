"""The policy on the real engine: taken over where there is one, refused as by the API, never cutting its owner off."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.small_program import SmallProgram
from tests.tailnet.refusals import BROKEN, OWNER, SECTION, SSH, with_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine

FOREIGN = '{\n// whoever set this tailnet up\n"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}],\n}\n'


@pytest.fixture(scope="module")
def lean_lab(lab: Lab) -> Lab:
    """Both hosts with one service each."""
    lean(lab)
    return lab


def lean(lab: Lab) -> None:
    for stack in ("monk", "kscloud1"):
        lab.files.edit(stack, "services", {"node-exporter": {"image": "prom/node-exporter:v1.12.1"}})
    lab.render()


@pytest.fixture(scope="module")
def standing(lean_lab: Lab) -> Lab:
    """The foundation, deployed once."""
    lean_lab.up("kscloud1")
    return lean_lab


@pytest.fixture
def deployed(standing: Lab) -> Iterator[Lab]:
    """The foundation, with its real section again when a test has edited that."""
    yield standing
    standing.files.edit("kscloud1", "tailnet", SECTION)
    standing.render()


@pytest.fixture(scope="module")
def small(standing: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallProgram]:
    """A project that speaks to the same simulated Tailscale."""
    opened = SmallProgram.open(standing, tmp_path_factory.mktemp("small"), "tailscale:apiKey")
    yield opened
    opened.close()


def policy(lab: Lab) -> str | None:
    found: str | None = lab.cloud()["tailscale"]["policy"]
    return found


def set_policy(lab: Lab, text: str) -> None:
    """Somebody writes a policy in the admin console."""
    cloud = lab.cloud()
    cloud["tailscale"]["policy"] = text
    (lab.twin.state / "cloud.json").write_text(json.dumps(cloud))


def test_policy_of_somebody_else_is_taken_over_by_the_one_command_that_is_shown(lean_lab: Lab) -> None:
    set_policy(lean_lab, FOREIGN)

    refused = lean_lab.pulumi("up", "--yes", "--skip-preview", "-s", "kscloud1")

    assert refused.status != 0
    assert policy(lean_lab) == FOREIGN
    assert "this program overwrites none that it does not know" in refused.output
    (command,) = set(re.findall(r"Take it over by one command: (pulumi import .+)$", refused.output, re.MULTILINE))
    typed = lean_lab.pulumi(*shlex.split(command)[1:])
    assert typed.status == 0, typed.output
    assert policy(lean_lab) == FOREIGN, "an import changes nothing"
    lean_lab.up("kscloud1")
    assert "group:owner" in (policy(lean_lab) or "")
    assert re.search(r"Resources:\n +\d+ unchanged\n\n", lean_lab.up("kscloud1").output)


def test_policy_is_protected_and_stays_when_all_else_goes(deployed: Lab) -> None:
    before = policy(deployed)

    refused = deployed.pulumi("destroy", "--yes", "--skip-preview", "-s", "kscloud1")
    assert refused.status != 0
    assert "protected" in refused.output

    spared = deployed.pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected", "-s", "kscloud1")
    assert spared.status == 0, spared.output
    assert policy(deployed) == before
    deployed.up("kscloud1")


def test_keys_are_made_for_each_host_and_stand_nowhere_in_clear(deployed: Lab) -> None:
    keys = deployed.cloud()["tailscale"]["keys"]
    shown = json.dumps(deployed.export("kscloud1")) + deployed.pulumi("stack", "output", "-s", "kscloud1").output

    assert sorted(key["inputs"]["tags"][0] for key in keys.values()) == ["tag:kscloud1", "tag:monk"]
    assert "tskey-auth-" not in shown


def test_preview_tells_the_change_in_words_and_changes_nothing(deployed: Lab) -> None:
    before = deployed.cloud()
    wider = with_(access=[SSH, {"from": ["owner"], "to": ["monk"], "ports": [8000]}])
    deployed.files.edit("kscloud1", "tailnet", wider)
    deployed.render()

    output = deployed.pulumi("preview", "-s", "kscloud1").output

    assert "Who reaches whom on the tailnet changes (+ newly, - no longer):" in output
    assert [line.strip() for line in output.splitlines() if " -> " in line] == [f"+ {OWNER} -> monk: tcp 8000"]
    assert deployed.cloud() == before
    deployed.up("kscloud1")
    assert " -> " not in deployed.pulumi("preview", "-s", "kscloud1").output
    deployed.files.edit("kscloud1", "tailnet", SECTION)
    deployed.render()
    assert f"- {OWNER} -> monk: tcp 8000" in deployed.up("kscloud1").output


def test_owner_is_not_cut_off_unless_that_is_said(deployed: Lab) -> None:
    before = deployed.cloud()
    renamed: dict[str, Any] = with_(groups={"owner": ["kite@new.example.com"]})
    deployed.files.edit("kscloud1", "tailnet", renamed)
    deployed.render()

    for verb in (("preview",), ("up", "--yes", "--skip-preview")):
        refused = deployed.pulumi(*verb, "-s", "kscloud1")
        assert refused.status != 0
        assert f"tailnet.groups.owner: must keep {OWNER}, who reaches monk on tcp 22 today" in refused.output
        assert "Traceback" not in refused.output
    assert deployed.cloud() == before

    deployed.files.edit("kscloud1", "tailnet", renamed | {"cut-own-way": True})
    deployed.render()
    forced = deployed.up("kscloud1")
    assert f"- {OWNER} -> monk: tcp 22" in forced.output
    assert "kite@new.example.com" in (policy(deployed) or "")
    deployed.files.edit("kscloud1", "tailnet", SECTION | {"cut-own-way": True})
    deployed.render()
    deployed.up("kscloud1")


@pytest.mark.parametrize("broken", BROKEN[::8], ids=lambda broken: broken.id)
def test_broken_section_stops_the_preview(broken: Any, deployed: Lab) -> None:  # noqa: ANN401
    before = deployed.cloud()
    deployed.files.edit("kscloud1", "tailnet", broken.section)
    deployed.render()

    finished = deployed.pulumi("preview", "-s", "kscloud1")

    assert finished.status != 0
    for line in broken.says:
        assert line in finished.output
    assert deployed.cloud() == before


PROGRAM = """
import json, pulumi
OWNERS = {"tag:monk": ["autogroup:admin"], "tag:kscloud1": ["autogroup:admin"]}
GRANT = {"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]}
def make(kind, label, **inputs):
    low = kind[0].lower() + kind[1:]
    pulumi.CustomResource(f"tailscale:index/{low}:{kind}", label, inputs, pulumi.ResourceOptions(version="0.29.2"))
def acl(text=None, force=True, **sections):
    document = text or json.dumps({"tagOwners": OWNERS, "grants": [GRANT], **sections})
    make("Acl", "policy", acl=document, overwriteExistingContent=force)
"""

API = [
    (
        "failing test",
        'acl(tests=[{"src": "tag:monk", "proto": "tcp", "accept": ["tag:kscloud1:22"]}])',
        ("test(s) failed", "must reach kscloud1 on tcp 22, and no rule lets it"),
    ),
    (
        "failing denial",
        'acl(tests=[{"src": "tag:monk", "proto": "tcp", "deny": ["tag:kscloud1:5432"]}])',
        ("test(s) failed", "must not reach kscloud1 on tcp 5432"),
    ),
    (
        "failing SSH test",
        'acl(sshTests=[{"src": "tag:monk", "dst": ["tag:kscloud1"], "accept": ["kite"]}])',
        ("test(s) failed", "as kite must end in accept, got deny"),
    ),
    (
        "tag that nobody owns",
        'acl(grants=[{"src": ["tag:attic"], "dst": ["tag:monk"], "ip": ["tcp:22"]}])',
        ('tag not found: "tag:attic"',),
    ),
    ("unknown section", "acl(grantz=[])", ('unknown field "grantz"',)),
    ("port that is none", 'acl(grants=[{**GRANT, "ip": ["tcp:70000"]}])', ("must be ports from 1 to 65535",)),
    ("single quotes", "acl(text=\"{'grants': []}\")", ("Invalid ACL",)),
    ("comment that does not end", "acl(text='{\"grants\": [] /* }')", ("Invalid ACL",)),
    ("policy of somebody else", "acl(force=False)", ("overwrite a non-default policy",)),
    ("key for a tag that nobody owns", 'make("TailnetKey", "k", tags=["tag:attic"])', ("requested tags [tag:attic]",)),
    ("key for a year", 'make("TailnetKey", "k", tags=["tag:monk"], expiry=31536000)', ("90 days",)),
]


@pytest.mark.parametrize(("program", "words"), [case[1:] for case in API], ids=[case[0] for case in API])
def test_simulated_api_refuses_through_up(
    program: str, words: tuple[str, ...], standing: Lab, small: SmallProgram
) -> None:
    before = policy(standing)

    status, output = small.up(PROGRAM + program)

    assert status != 0
    for each in words:
        assert each in output
    assert policy(standing) == before


def test_the_same_program_without_a_fault_is_accepted(standing: Lab, small: SmallProgram) -> None:
    """Refusals would prove nothing if everything were refused; comments and trailing commas are no fault."""
    before = policy(standing)
    tests = [{"src": "tag:monk", "proto": "tcp", "accept": ["tag:kscloud1:5432"], "deny": ["tag:kscloud1:22"]}]
    program = f"""
document = json.dumps({{"tagOwners": OWNERS, "grants": [GRANT], "tests": {tests}}})
acl(text="// the house\\n" + document[:-1] + ", /* no more */ }}")
make("TailnetKey", "k", tags=["tag:monk"], expiry=3600)
"""

    status, output = small.up(PROGRAM + program)

    assert status == 0, output
    assert (policy(standing) or "").startswith("// the house")
    set_policy(standing, before or "")
