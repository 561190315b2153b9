"""The help desk as monk's stack file declares it, and the files of its image."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.errors import ProgramError
from components.login import OidcClient
from components.services import osticket
from components.services.osticket import Osticket
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, plan
from tests.services.plans import files as texts

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

DESK = containers_of("osticket", "monk")["osticket"]
IMAGE = Path(osticket.__path__[0]) / "image"
SCRIPTS = sorted(Path(osticket.__path__[0]).parent.rglob("*.php"))


def test_callback_and_subject_are_those_of_the_plugin() -> None:
    login = Osticket.login

    assert isinstance(login, OidcClient)
    assert login.redirect_paths == ("/api/auth/oauth2",)
    assert login.subject == "user_email"


def test_administrator_has_a_name_and_an_address_that_the_installer_takes() -> None:
    given = environment(DESK)

    assert given["OSTICKET_ADMIN"] not in ("admin", "admins", "username", "osticket")
    assert given["OSTICKET_ADMIN_EMAIL"] != given["OSTICKET_EMAIL"] == "help@kitestacks.com"
    assert given["OSTICKET_URL"] == "https://tickets.kitestacks.com"


def test_secrets_are_the_files_that_the_image_reads() -> None:
    read = {
        name
        for script in (IMAGE / "ost-config.php", IMAGE / "install.php")
        for name in re.findall(r"(?:\$secret\('|/run/secrets/)([a-z-]+)", script.read_text())
    }

    assert {f"/run/secrets/{name}" for name in read} == set(texts(DESK))
    assert Osticket.secrets["salt"].fixed, "what it encrypted could not be read any more"


def test_environment_is_what_the_image_reads() -> None:
    read = {name for script in IMAGE.glob("*.php") for name in re.findall(r"getenv\('(\w+)'\)", script.read_text())}

    assert read - {"OSTICKET_SETUP"} == set(environment(DESK))


def test_container_keeps_nothing_and_runs_as_nobody_special() -> None:
    assert not DESK.inputs.get("mounts")
    assert (DESK.inputs["user"], DESK.inputs["capabilities"]["adds"]) == ("33:33", [])
    assert "Listen 8080" in (IMAGE / "osticket.conf").read_text()
    assert Osticket.port == 8080


def test_set_up_page_is_not_where_the_web_server_looks() -> None:
    recipe = (IMAGE / "Dockerfile").read_text()

    assert "mv /var/www/html/setup /opt/osticket/setup" in recipe
    assert (IMAGE / "start.sh").read_text().index("install.php") < (IMAGE / "start.sh").read_text().index('exec "$@"')


def test_archives_are_taken_with_a_checksum_alone() -> None:
    recipe = (IMAGE / "Dockerfile").read_text()

    downloads = re.findall(r"curl -fsSLo (\S+)", recipe)
    assert downloads == ["/tmp/osticket.zip", "/tmp/auth-oauth2.phar"]  # noqa: S108 - inside the image
    for checksum, archive in zip(("OSTICKET_SHA256", "PLUGIN_SHA256"), downloads, strict=True):
        assert f'"${{{checksum}}}  {archive}" | sha256sum -c -' in recipe
        assert f'"${{{checksum}:?' in recipe, "an empty checksum stops the build"
        assert re.search(rf"^ARG {checksum}$", recipe, re.MULTILINE), "none is shipped that nobody has computed"


def test_image_and_stack_file_name_the_same_release() -> None:
    (version,) = re.findall(r"^ARG OSTICKET_VERSION=(\S+)$", (IMAGE / "Dockerfile").read_text(), re.MULTILINE)

    assert f":{version}-" in DESK.inputs["image"]


def test_agents_reach_the_step_and_secrets_do_not_show() -> None:
    step = plan("monk").recorder.of_type("Command")["osticket-plugin"]

    assert step.inputs["create"] == "python3 -m kitestacks step services.osticket.plugin"
    assert '"authorize": "https://auth.kitestacks.com/application/o/authorize/"' in step.inputs["stdin"]
    assert "stdin" in step.secrets
    assert "shared-osticket.client-secret" not in str({**step.inputs, "stdin": ""})


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ({"Ada": "Ada Lovelace"}, "must be a mail address in lower case, got 'Ada'"),
        ({"help@kitestacks.com": "Help"}, "must hold people alone: 'help@kitestacks.com' is the help desk's own"),
    ],
)
def test_agents_that_are_no_people_are_refused(files: StackFiles, agents: dict[str, str], message: str) -> None:
    files.edit("monk", "services.osticket.agents", agents)

    with pytest.raises(ProgramError, match=re.escape(message)):
        run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_php_is_valid(script: Path) -> None:
    if shutil.which("php") is None:
        pytest.skip("needs php: apt-get install php-cli")

    checked = subprocess.run(["php", "-l", str(script)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_shell_is_valid() -> None:
    assert subprocess.run(["sh", "-n", str(IMAGE / "start.sh")], check=False).returncode == 0
    assert (IMAGE / "start.sh").stat().st_mode & 0o111


def test_apache_takes_the_site(tmp_path: Path) -> None:
    apache = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
    if apache is None:
        pytest.skip("needs Apache: apt-get install apache2-bin")
    (tmp_path / "logs").mkdir()
    (tmp_path / "html" / "include").mkdir(parents=True)
    site = (IMAGE / "osticket.conf").read_text().replace("/var/www/html", str(tmp_path / "html"))
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_prefork", "authz_core", "dir", "rewrite")
    )
    (tmp_path / "httpd.conf").write_text(f"ServerRoot {tmp_path}\n{modules}{site}")

    checked = subprocess.run(
        [apache, "-t", "-f", str(tmp_path / "httpd.conf")], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert "Syntax OK" in checked.stderr
