"""The index of offers: one scan per process, nothing imported, the same order everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from celeriac.plugin import index as index_module
from celeriac.plugin.index import normalize, scan, shared_index

BROKER = {"celeriac.brokers": {"foo": "celeriac_foo.broker:Transport"}}


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["celeriac", "celeriac.plugin", "celeriac.plugin.settings"])
def test_importing_it_scans_nothing_and_loads_none_of_the_tools(module):
    code = f"import {module}, sys; print([name for name in {TOOLS!r} if name in sys.modules])"
    assert run_python(code).strip() == "[]"


TOOLS = ["pluggy", "stevedore", "importlib_metadata", "importlib.metadata", "kombu", "click"]


def test_an_app_with_a_broker_has_its_queues_without_loading_pluggy():
    code = (
        "import sys; from celeriac import Celery; Celery('x', broker='redis://').amqp; "
        "print([name for name in ('pluggy', 'stevedore', 'importlib_metadata') if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_a_distribution_is_found_with_its_version_place_and_offers(site):
    # Given an installed broker
    site.install("celeriac-foo", "2.3", BROKER)
    # When the site is scanned
    (provider,) = site.index.providers
    # Then it is known whose it is
    assert (provider.name, provider.version) == ("celeriac-foo", "2.3")
    assert provider.location == str(site.directory)
    (offer,) = provider.offers
    assert (offer.group, offer.name, offer.value) == ("celeriac.brokers", "foo", "celeriac_foo.broker:Transport")
    assert offer.owner == "celeriac-foo 2.3"


def test_scanning_imports_nothing(site):
    site.install("celeriac-foo", entry_points=BROKER, modules={"celeriac_foo.broker": "raise SystemExit('imported')"})
    assert site.index.find("celeriac.brokers", "foo")
    assert not [name for name in sys.modules if name.startswith("celeriac_foo")]


def test_distributions_that_offer_nothing_are_left_out(site):
    site.install("requests", entry_points={"console_scripts": {"requests": "requests:main"}})
    site.install("pluggy-things", entry_points={"celeriacs.brokers": {"x": "y"}, "other": {"celeriac.brokers": "z"}})
    assert site.index.providers == ()


def test_lines_are_read_as_packaging_writes_them(site):
    info = site.install("celeriac-foo")
    (info / "entry_points.txt").write_text(
        "# a comment\n[celeriac.brokers]\nfoo=celeriac_foo:Foo\n ; another\n"
        "foo+srv = celeriac_foo : Foo [extra]\n\n[ celeriac.pools ]\nfoo = celeriac_foo:Pool\nno equals sign\n"
    )
    found = [(offer.group, offer.name, offer.value) for offer in site.index.providers[0].offers]
    assert found == [
        ("celeriac.brokers", "foo", "celeriac_foo:Foo"),
        ("celeriac.brokers", "foo+srv", "celeriac_foo:Foo"),
        ("celeriac.pools", "foo", "celeriac_foo:Pool"),
    ]


def test_the_order_is_that_of_distribution_and_name_wherever_they_lie(tmp_path, site):
    for name in ("celeriac-b", "Celeriac_C", "celeriac-a"):
        points = {"celeriac.pools": {f"{name}-2": "m:2", f"{name}-1": "m:1"}}
        site.install(name, entry_points=points)
    found = [offer.name for offer in site.index.offers("celeriac.pools")]
    assert found == ["celeriac-a-1", "celeriac-a-2", "celeriac-b-1", "celeriac-b-2", "Celeriac_C-1", "Celeriac_C-2"]


def test_an_editable_installation_and_a_wheel_are_one(tmp_path, site):
    # Given a wheel, and the egg-info of a checkout of the same distribution further down the path
    checkout = type(site)(tmp_path / "checkout")
    checkout.install("celeriac_foo", "1.1", BROKER, kind="egg-info")
    site.install("celeriac-foo", "1.0", BROKER)
    # When both are scanned
    found = scan([str(site.directory), str(checkout.directory)])
    # Then there is one: that which Python imports
    assert [(provider.name, provider.version) for provider in found.providers] == [("celeriac-foo", "1.0")]
    assert len(found.find("celeriac.brokers", "foo")) == 1


def test_a_link_to_the_same_directory_counts_once(tmp_path, site):
    site.install("celeriac-foo", entry_points=BROKER)
    link = tmp_path / "lib64"
    link.symlink_to(site.directory)
    assert len(scan([str(site.directory), str(link)]).find("celeriac.brokers", "foo")) == 1


def test_a_directory_that_is_twice_on_the_path_counts_once(site):
    site.install("celeriac-foo", entry_points=BROKER)
    assert len(scan([str(site.directory)] * 2).find("celeriac.brokers", "foo")) == 1


def test_the_same_target_from_two_distributions_is_one(site):
    site.install("celeriac-old-name", entry_points=BROKER)
    site.install("celeriac-foo", entry_points=BROKER)
    (offer,) = site.index.find("celeriac.brokers", "foo")
    assert offer.distribution == "celeriac-foo"


def test_different_targets_under_one_name_are_both_there(site):
    site.install("celeriac-foo", entry_points=BROKER)
    site.install("other-foo", entry_points={"celeriac.brokers": {"foo": "other:Transport"}})
    found = site.index.find("celeriac.brokers", "foo")
    assert [offer.distribution for offer in found] == ["celeriac-foo", "other-foo"]


def test_what_an_interrupted_uninstall_leaves_behind_is_not_there(site):
    site.install("celeriac-foo", entry_points=BROKER, metadata=False)
    assert site.index.providers == ()


def test_threads_share_one_scan(site, monkeypatch):
    # Given a scan that is under way until all threads have asked
    scans = []
    asked = threading.Barrier(8)
    real = index_module.scan

    def counted(*args):
        scans.append(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(index_module, "scan", counted)
    found = []

    def ask():
        asked.wait()
        found.append(shared_index())

    # When eight threads ask at once
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then there was one scan, and all have its result
    assert len(scans) == 1
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_forked_child_inherits_the_scan_though_a_thread_held_the_lock(site, monkeypatch):
    before = shared_index()
    # Given the lock in the hands of a thread that the child will not have
    with index_module._lock:
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(index_module, "scan", lambda: os._exit(2))
            same = shared_index() is before
            with index_module._lock:
                os._exit(0 if same else 3)
    # Then the child has what the parent found, and could scan itself
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_after_forget_what_was_installed_meanwhile_is_found(site):
    assert shared_index().provider("celeriac-late") is None
    site.install("celeriac-late", entry_points={"celeriac.pools": {"late": "m:P"}})
    assert shared_index().provider("celeriac-late") is None
    index_module.forget()
    assert shared_index().provider("Celeriac_Late") is not None


def test_the_kernel_offers_what_needs_no_plugin():
    # In this environment core is installed, so the real index has it.
    kernel = shared_index().provider("celeriac")
    assert {(offer.group, offer.name) for offer in kernel.offers} >= {
        ("celeriac.serializers", "json"),
        ("celeriac.pools", "solo"),
        ("celeriac.loaders", "app"),
        ("celeriac.loaders", "default"),
        ("celeriac.commands", "plugins"),
    }


def test_names_compare_as_packaging_compares_them():
    assert normalize("Celeriac_Foo.bar--baz") == "celeriac-foo-bar-baz"
