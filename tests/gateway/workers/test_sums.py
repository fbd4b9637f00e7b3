"""Metrics of several processes as one: sums that neither fall nor count twice when a process is replaced."""

from __future__ import annotations

from gateway.workers.metrics import Family, Sample, Sums


def families(requests: float, *, in_flight: float = 0, statements: float = 3) -> list[Family]:
    return [
        Family("cosgw_requests", "counter", "R", [Sample("cosgw_requests_total", {"status": "200"}, requests)]),
        Family("cosgw_in_flight_requests", "gauge", "F", [Sample("cosgw_in_flight_requests", {}, in_flight)]),
        Family(
            "cosgw_policy_statements", "gauge", "S", [Sample("cosgw_policy_statements", {"version": "a"}, statements)]
        ),
    ]


def total(sums: Sums, *present: int) -> dict[str, float]:
    return {sample.name: sample.value for metric in sums.total(present) for sample in metric.samples}


def test_counters_and_gauges_are_summed_and_what_all_say_alike_is_not() -> None:
    sums = Sums(anew=False)
    sums.count_own(1, 100, families(5, in_flight=2))
    sums.count(2, 200, families(7, in_flight=1))
    assert total(sums, 1, 2) == {
        "cosgw_requests_total": 12, "cosgw_in_flight_requests": 3, "cosgw_policy_statements": 3
    }  # fmt: skip


def test_a_worker_that_does_not_answer_keeps_its_counts_and_loses_its_gauges() -> None:
    sums = Sums(anew=False)
    sums.count_own(1, 100, families(5, in_flight=2))
    sums.count(2, 200, families(7, in_flight=1, statements=4))
    found = total(sums, 1)
    assert (found["cosgw_requests_total"], found["cosgw_in_flight_requests"]) == (12, 2)
    assert found["cosgw_policy_statements"] == 3


def test_a_replaced_worker_does_not_let_a_sum_fall() -> None:
    sums = Sums(anew=False)
    sums.count_own(1, 100, families(5))
    sums.count(2, 200, families(7))
    sums.count(2, 201, families(1))
    assert total(sums, 1, 2)["cosgw_requests_total"] == 13
    sums.count(2, 202, families(0))
    assert total(sums, 1, 2)["cosgw_requests_total"] == 13


def test_sums_that_begin_anew_leave_out_what_was_counted_before() -> None:
    sums = Sums(anew=True)
    sums.count_own(1, 101, families(2))
    sums.count(2, 200, families(70))
    assert total(sums, 1, 2)["cosgw_requests_total"] == 2
    sums.count(2, 200, families(73))
    assert total(sums, 1, 2)["cosgw_requests_total"] == 5
    sums.count(2, 201, families(4))
    assert total(sums, 1, 2)["cosgw_requests_total"] == 9
