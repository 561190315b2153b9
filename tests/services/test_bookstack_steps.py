"""BookStack's first step: its script runs in a real PHP, with BookStack's classes played."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import Done, StepError
from components.services.bookstack import first_admin
from components.step_program import Given
from tests.services.machines import PlayedMachine, hurry, run_here

if TYPE_CHECKING:
    from collections.abc import Sequence

FAKE = Path(__file__).parent / "fake_bookstack"
PASSWORD = "ours-and-long"  # noqa: S105 - of a test
GIVEN = Given(
    facts={
        "container": "bookstack",
        "email": "kite-admin@kitestacks.com",
        "roles": {"Admin": "kitestacks-admins", "Editor": "kitestacks-users"},
    },
    secrets={"password": PASSWORD},
)
ROLES = [
    {"id": 1, "display_name": "Admin", "system_name": "admin", "external_auth_id": ""},
    {"id": 2, "display_name": "Editor", "system_name": "", "external_auth_id": ""},
]
SHIPPED = {"id": 1, "email": "admin@admin.com", "name": "Admin", "password": "hash of password", "role_ids": [1]}
OWNERS = SHIPPED | {"password": "hash of the owner's own"}
OURS = {"id": 2, "email": "kite-admin@kitestacks.com", "name": "x", "password": f"hash of {PASSWORD}", "role_ids": [1]}


class Wiki:
    """BookStack's database, and the machine on which it runs."""

    def __init__(self, folder: Path, users: list[dict[str, Any]]) -> None:
        self._file = folder / "bookstack.json"
        self._file.write_text(json.dumps({"users": users, "roles": ROLES, "writes": 0}))
        self.refusal, self.closed = "", ""
        self.not_yet = 0
        self.machine = PlayedMachine(answer=self._answer)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self._file.read_text())[key]

    def user(self, email: str) -> dict[str, Any] | None:
        return next((user for user in self["users"] if user["email"] == email), None)

    def _answer(self, command: Sequence[str], stdin: str) -> Done:
        if command[0] == "curl":
            self.not_yet -= 1
            return Done(code=22 if self.not_yet >= 0 else 0, out="", err="")
        assert tuple(command[:3]) == ("/usr/bin/with-contenv", "/usr/bin/s6-setuidgid", "abc")
        env = {"PATH": os.environ["PATH"], "FAKE_BOOKSTACK": str(self._file), "FAKE_REFUSAL": self.refusal}
        env |= {"FAKE_CLOSED": self.closed}
        return run_here(command[3:], stdin, env)


@pytest.fixture(autouse=True)
def _real_php(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("php") is None:
        pytest.skip("needs php: apt-get install php-cli")
    monkeypatch.setattr(first_admin, "APP", str(FAKE))
    hurry(monkeypatch)


def test_shipped_account_becomes_ours_and_groups_get_their_roles(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])

    said = first_admin.run(GIVEN, wiki.machine)

    assert wiki.user("admin@admin.com") is None
    assert wiki["users"] == [SHIPPED | {"email": "kite-admin@kitestacks.com", "password": f"hash of {PASSWORD}"}]
    assert [role["external_auth_id"] for role in wiki["roles"]] == ["kitestacks-admins", "kitestacks-users"]
    assert said == (
        "the account that BookStack ships is now kite-admin@kitestacks.com; role Admin goes to kitestacks-admins; "
        "role Editor goes to kitestacks-users"
    )


def test_run_twice_the_second_writes_nothing(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])
    first_admin.run(GIVEN, wiki.machine)
    writes = wiki["writes"]

    assert first_admin.run(GIVEN, wiki.machine) == "the wiki's administrator and roles are as they should be"
    assert wiki["writes"] == writes


def test_account_whose_password_the_owner_changed_stays_and_ours_is_made_beside_it(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [OWNERS])

    assert "administrator kite-admin@kitestacks.com is made" in first_admin.run(GIVEN, wiki.machine)
    assert wiki.user("admin@admin.com") == OWNERS
    made = wiki.user("kite-admin@kitestacks.com")
    assert made is not None
    assert (made["password"], made["role_ids"]) == (f"hash of {PASSWORD}", [1])


def test_shipped_password_is_closed_even_where_our_account_is_there_already(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED, OURS])

    assert "the shipped password of admin@admin.com is void" in first_admin.run(GIVEN, wiki.machine)
    shipped = wiki.user("admin@admin.com")
    assert shipped is not None
    assert shipped["password"] != SHIPPED["password"]
    assert wiki.user("kite-admin@kitestacks.com") == OURS


@pytest.mark.parametrize(
    ("left_over", "said"),
    [
        ({"password": "hash of an older one"}, "the password of kite-admin@kitestacks.com is set"),
        ({"role_ids": []}, "kite-admin@kitestacks.com is an administrator"),
    ],
)
def test_earlier_run_that_was_cut_short_or_another_password_is_put_right(
    tmp_path: Path, left_over: dict[str, Any], said: str
) -> None:
    wiki = Wiki(tmp_path, [OWNERS, OURS | left_over])

    assert said in first_admin.run(GIVEN, wiki.machine)
    assert wiki.user("kite-admin@kitestacks.com") == OURS


def test_password_goes_by_standard_input_alone(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])

    first_admin.run(GIVEN, wiki.machine)

    assert not [command for command in wiki.machine.commands if PASSWORD in " ".join(command)]


def test_refusal_of_the_app_is_told_without_the_password(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [OWNERS])
    wiki.refusal = "The password is too weak:"

    with pytest.raises(StepError, match=r"first_admin.php in bookstack: The password is too weak: \.\.\.$"):
        first_admin.run(GIVEN, wiki.machine)


def test_database_that_takes_no_writes_is_left_to_the_one_that_it_follows(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])
    wiki.closed = "1"

    assert "this database takes no writes" in first_admin.run(GIVEN, wiki.machine)
    assert wiki["writes"] == 0


def test_missing_role_is_named(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [OURS | {"id": 1}])
    given = Given(facts={**GIVEN.facts, "roles": {"Scribe": "x"}}, secrets=GIVEN.secrets)

    with pytest.raises(StepError, match="there is no role Scribe: make one in the wiki's settings"):
        first_admin.run(given, wiki.machine)


def test_waits_until_the_wiki_answers(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])
    wiki.not_yet = 3

    first_admin.run(GIVEN, wiki.machine)

    assert [command[0] for command in wiki.machine.commands] == ["curl"] * 4 + ["/usr/bin/with-contenv"]


def test_wiki_that_never_answers_is_an_error_and_nothing_is_done(tmp_path: Path) -> None:
    wiki = Wiki(tmp_path, [SHIPPED])
    wiki.not_yet = 10**6

    with pytest.raises(StepError, match="BookStack did not answer within 120 s"):
        first_admin.run(GIVEN, wiki.machine)
    assert wiki["writes"] == 0
