"""What is counted."""

from __future__ import annotations

import pytest

from celeriac.contracts import Outcome, OutcomeKind
from celeriac.exceptions import ImproperlyConfigured
from celeriac_prometheus.metrics import Metrics


@pytest.fixture
def metrics():
    return Metrics([1, 10])


@pytest.fixture
def value(metrics):
    """Return ``value(name, **labels)``: a sample as Prometheus would read it, None where there is none."""
    return lambda name, **labels: metrics.registry.get_sample_value(name, labels)


def outcome(kind=OutcomeKind.SUCCESS, task="proj.add", queue="celery", **fields):
    return Outcome(kind, "some-id", task, queue, **fields)


def test_each_outcome_counts_once_for_its_task_and_once_for_its_queue(metrics, value):
    metrics.expect(["proj.add"])
    for kind in (OutcomeKind.SUCCESS, OutcomeKind.SUCCESS, OutcomeKind.HARD_TIME_LIMIT):
        metrics.count(outcome(kind))
    assert value("celeriac_task_outcomes_total", task="proj.add", outcome="success") == 2
    assert value("celeriac_task_outcomes_total", task="proj.add", outcome="hard-time-limit") == 1
    assert value("celeriac_queue_outcomes_total", queue="celery", outcome="success") == 2


def test_an_expected_task_has_its_series_before_anything_has_happened(metrics, value):
    metrics.expect(["proj.add"])
    for kind in ("success", "failure", "retry"):
        assert value("celeriac_task_outcomes_total", task="proj.add", outcome=kind) == 0
    assert value("celeriac_task_requeued_total", task="proj.add") == 0
    assert value("celeriac_task_runtime_seconds_count", task="proj.add") == 0


def test_runtimes_fall_into_their_classes_and_a_task_that_did_not_run_has_none(metrics, value):
    metrics.expect(["proj.add"])
    metrics.count(outcome(runtime=0.5))
    metrics.count(outcome(runtime=5.0))
    metrics.count(outcome(OutcomeKind.REVOKED))
    assert value("celeriac_task_runtime_seconds_bucket", task="proj.add", le="1.0") == 1
    assert value("celeriac_task_runtime_seconds_bucket", task="proj.add", le="10.0") == 2
    assert value("celeriac_task_runtime_seconds_count", task="proj.add") == 2
    assert value("celeriac_task_runtime_seconds_sum", task="proj.add") == 5.5


def test_a_message_that_goes_back_is_counted_as_such(metrics, value):
    metrics.expect(["proj.add"])
    metrics.count(outcome(OutcomeKind.WORKER_LOST, requeued=True))
    assert value("celeriac_task_requeued_total", task="proj.add") == 1
    assert value("celeriac_task_outcomes_total", task="proj.add", outcome="worker-lost") == 1


def test_a_flood_of_invented_names_makes_one_series(metrics, value):
    metrics.expect(["proj.add"])
    for number in range(1000):
        metrics.count(outcome(OutcomeKind.UNKNOWN_TASK, f"invented.{number}"))
    metrics.count(outcome(OutcomeKind.INVALID, ""))
    assert value("celeriac_task_outcomes_total", task="(unknown)", outcome="unknown-task") == 1000
    assert value("celeriac_task_outcomes_total", task="(unknown)", outcome="invalid") == 1
    series = [sample for metric in metrics.registry.collect() for sample in metric.samples]
    assert len(series) < 100


def test_a_depth_that_is_not_known_any_more_is_not_shown(metrics, value):
    metrics.show_depth("celery", 3)
    metrics.show_depth("other", 4)
    metrics.show_depth("celery", None)
    metrics.show_depth("never seen", None)
    assert value("celeriac_queue_depth", queue="celery") is None
    assert value("celeriac_queue_depth", queue="other") == 4


def test_two_apps_count_apart(metrics, value):
    other = Metrics([1])
    other.count(outcome())
    assert value("celeriac_queue_outcomes_total", queue="celery", outcome="success") is None


@pytest.mark.parametrize("buckets", [["soon"], [None], []])
def test_bounds_that_are_no_numbers_are_refused(buckets):
    with pytest.raises(ImproperlyConfigured, match="the setting prometheus_runtime_buckets must"):
        Metrics(buckets)


def test_bounds_may_come_in_any_order():
    metrics = Metrics([10, 1, 10])
    metrics.expect(["t"])
    assert metrics.registry.get_sample_value("celeriac_task_runtime_seconds_bucket", {"task": "t", "le": "1.0"}) == 0
