"""URLs name files; without one, the file is in the user's data directory."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from celeriac.exceptions import ImproperlyConfigured
from celeriac_sqlite.place import data_directory, embedded_file, path_of, url_of


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/q.db", "/var/lib/q.db"),
        ("sqlite:////var/lib/my%20queue%3F.db", "/var/lib/my queue?.db"),
        ("sqlite:////var/lib/../q.db", "/var/q.db"),
    ],
)
def test_a_url_names_a_file(url, path):
    assert path_of(url) == Path(path)


def test_a_relative_path_starts_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert path_of("sqlite:///deep/q.db") == tmp_path / "deep" / "q.db"


def test_a_url_without_a_path_names_the_embedded_file(celeriac_home):
    assert path_of("sqlite://", "proj") == celeriac_home / "proj.db"
    assert path_of("sqlite:///", "proj") == celeriac_home / "proj.db"


def test_a_path_survives_its_url(tmp_path):
    path = tmp_path / "a b%?#ü;.db"
    assert path_of(url_of(path)) == path
    assert re.fullmatch(r"[\x21-\x7e]+", url_of(path))
    assert ";" not in url_of(path)  # which separates URLs


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://", "is not a URL of an SQLite file"),
        ("sqlite://host/q.db", "names a host"),
        ("sqlite:///q.db?mode=ro", "the settings sqlite_"),
        ("sqlite:///:memory:", "use memory://"),
    ],
)
def test_a_url_that_names_no_file_is_refused(url, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        path_of(url)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("proj", "proj.db"),
        (None, "celeriac.db"),
        ("../../etc/x", "etc_x.db"),
        ("a b/ü", "a_b.db"),
        ("..", "celeriac.db"),
    ],
)
def test_the_name_of_an_app_becomes_the_name_of_a_file(celeriac_home, name, file):
    assert embedded_file(name) == celeriac_home / file


def test_without_celeriac_home_it_is_the_data_directory_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("CELERIAC_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert data_directory() == tmp_path / "data" / "celeriac"
        monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
        assert data_directory() == tmp_path / ".local" / "share" / "celeriac"
    assert data_directory().is_relative_to(tmp_path)
