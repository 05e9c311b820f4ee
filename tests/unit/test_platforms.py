"""Users, pid files, the background: real files, and real processes for what cannot be undone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from celeriac.exceptions import ImproperlyConfigured, SecurityError
from celeriac.platforms import PidFile, check_privileges, drop_privileges, group_id, user_id

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def run(source, *arguments):
    return subprocess.run(
        [sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=30, check=False
    )


# -- pid files ---------------------------------------------------------------------------------------------------------


def test_a_pid_file_holds_the_id_of_its_process_until_it_is_released(tmp_path):
    file = PidFile(tmp_path / "w.pid")
    file.acquire()
    assert (tmp_path / "w.pid").read_text() == f"{os.getpid()}\n"
    assert file.read() == os.getpid()
    file.release()
    file.release()
    assert file.read() is None


def test_a_pid_file_of_a_process_that_runs_is_not_taken(tmp_path):
    (tmp_path / "w.pid").write_text(f"{os.getppid()}\n")
    with pytest.raises(ImproperlyConfigured, match=rf"belongs to process {os.getppid()}, which runs: stop that first"):
        PidFile(tmp_path / "w.pid").acquire()
    assert (tmp_path / "w.pid").read_text() == f"{os.getppid()}\n"


@pytest.mark.parametrize("left", ["{dead}\n", "", "not a number", "0", "9" * 40])
def test_a_pid_file_that_nobody_holds_is_taken_over(tmp_path, left):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    (tmp_path / "w.pid").write_text(left.format(dead=ended.pid))
    file = PidFile(tmp_path / "w.pid")
    file.acquire()
    assert file.read() == os.getpid()


def test_a_pid_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"the pid file .*nowhere/w\.pid cannot be written: No such file"):
        PidFile(tmp_path / "nowhere" / "w.pid").acquire()


def test_neither_a_child_nor_somebody_whose_file_was_taken_removes_it(tmp_path):
    file = PidFile(tmp_path / "w.pid")
    file.acquire()
    child = os.fork()
    if child == 0:
        file.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert file.read() == os.getpid()
    (tmp_path / "w.pid").write_text("1\n")
    file.release()
    assert (tmp_path / "w.pid").exists()


# -- users -------------------------------------------------------------------------------------------------------------


def test_users_and_groups_are_numbers_or_names():
    assert user_id("root") == user_id("0") == user_id(0) == 0
    assert group_id("root") == group_id("0") == 0
    with pytest.raises(ImproperlyConfigured, match="there is no user 'nobody-of-this-name'"):
        user_id("nobody-of-this-name")
    with pytest.raises(ImproperlyConfigured, match="there is no group 'nobody-of-this-name'"):
        group_id("nobody-of-this-name")


def test_who_one_is_already_one_may_stay():
    drop_privileges()
    drop_privileges(os.getuid(), os.getgid())


@AS_ROOT
def test_all_rights_are_given_up_for_good():
    done = run(
        "import os, sys\n"
        "from celeriac.platforms import drop_privileges\n"
        "drop_privileges('nobody')\n"
        "import pwd\n"
        "nobody = pwd.getpwnam('nobody')\n"
        "assert os.getresuid() == (nobody.pw_uid,) * 3, os.getresuid()\n"
        "assert os.getresgid() == (nobody.pw_gid,) * 3, os.getresgid()\n"
        "assert 0 not in os.getgroups(), os.getgroups()\n"
        "try:\n    os.setuid(0)\nexcept PermissionError:\n    print('for good')\n"
    )
    assert (done.stdout, done.stderr) == ("for good\n", "")


@AS_ROOT
def test_a_group_alone_can_be_chosen():
    done = run(
        "import os\n"
        "from celeriac.platforms import drop_privileges\n"
        "drop_privileges(group='nogroup')\n"
        "import grp\n"
        "assert os.getgid() == grp.getgrnam('nogroup').gr_gid\n"
        "assert os.getuid() == 0 and 0 not in os.getgroups()\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@AS_ROOT
def test_who_is_not_root_cannot_become_somebody_else():
    done = run(
        "import os\n"
        "from celeriac.exceptions import ImproperlyConfigured\n"
        "from celeriac.platforms import drop_privileges\n"
        "os.setuid(65534)\n"
        "try:\n    drop_privileges('daemon')\nexcept ImproperlyConfigured as error:\n    print(error)\n"
    )
    assert "may not become user" in done.stdout
    assert "only root may" in done.stdout


@AS_ROOT
def test_root_must_not_read_pickled_messages_unless_it_insists(monkeypatch, caplog):
    monkeypatch.delenv("C_FORCE_ROOT")
    for accepted in (["json", "pickle"], ["application/x-python-serialize"]):
        with pytest.raises(SecurityError, match=r"whoever can write to its queues owns this machine: .*--uid"):
            check_privileges(accepted)
    assert caplog.records == []
    check_privileges(["json"])
    assert "runs as root" in caplog.text
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    check_privileges(["pickle"])


# -- the background ----------------------------------------------------------------------------------------------------

DETACHING = """
import os, sys, time
from celeriac.platforms import detach
first = os.getpid()
settle = detach()
if sys.argv[1] == "fail":
    print("this goes wrong", file=sys.stderr)
    sys.exit(3)
settle()
print("nobody sees this")
with open(sys.argv[2], "w") as file:
    file.write(f"{first} {os.getpid()} {os.getsid(0)} {os.isatty(0)}")
"""


def test_who_detaches_goes_on_in_a_session_of_its_own_when_the_start_has_gone_well(tmp_path, wait_until):
    done = run(DETACHING, "well", str(tmp_path / "told"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = wait_until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text(), message="it goes on")
    first, second, session, has_terminal = told.split()
    assert first != second == session
    assert has_terminal == "False"


def test_an_error_before_that_is_told_to_the_person_with_its_exit_code(tmp_path):
    done = run(DETACHING, "fail", str(tmp_path / "told"))
    assert (done.returncode, done.stderr) == (3, "this goes wrong\n")
