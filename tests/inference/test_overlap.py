"""Two at the same time, in order, and no more."""

from __future__ import annotations

import threading

import pytest
import torch

from ttpose.inference.overlap import in_order


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_run_at_the_same_time_and_come_in_order(two_threads):
    meet, running, most = threading.Barrier(2, timeout=20), 0, 0
    lock = threading.Lock()

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meet.wait()  # nobody gets on alone
        with lock:
            running -= 1
        return number * number

    assert list(in_order(work, range(8))) == [n * n for n in range(8)]
    assert most == 2


def test_items_are_not_taken_long_before_their_results(two_threads):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    for result in in_order(lambda n: n, items()):
        assert len(taken) <= result + 3


def test_an_error_is_raised_in_its_turn(two_threads):
    def work(number):
        if number == 3:
            raise ValueError("the third")
        return number

    results = in_order(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(results)


def test_one_thread_does_one_thing_at_a_time():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        names = list(in_order(lambda _: threading.current_thread().name, range(3)))
    finally:
        torch.set_num_threads(before)
    assert names == [threading.main_thread().name] * 3
