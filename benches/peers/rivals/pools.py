"""Processes, pools, locks of CPython's multiprocessing: one figure, in the unit of the workload.

pools.py VARIANT WORKLOAD COUNT
"""

import array
import multiprocessing as mp
import multiprocessing.pool
import random
import sys
import time


def echo(x):
    return x


def reply(to, x):
    to.send(x)


def square(x):
    return x * x


def total(numbers):
    return sum(numbers)


def make(count):
    return array.array("d", [1.0]) * count


def hits(seed_and_points):
    seed, points = seed_and_points
    draw = random.Random(seed).random
    return sum(1 for _ in range(points) if draw() ** 2 + draw() ** 2 <= 1.0)


def toil(steps):
    state = 1
    for step in range(steps):
        state = (state * 6364136223846793005 ^ step) & 0xFFFFFFFFFFFFFFFF
    return state


def count_up(lock, times, value):
    for _ in range(times):
        with lock:
            if value is not None:
                value.value += 1


def start(context):
    """A process, and its value through a pipe: what Process alone does not give."""
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=reply, args=(sender, 7))
    child.start()
    sender.close()
    return child, receiver


def finish(started):
    child, receiver = started
    assert receiver.recv() == 7
    child.join()


def measure(variant, workload, count):
    context = mp.get_context(variant if variant in ("spawn", "forkserver", "fork") else "fork")
    clock = time.perf_counter
    if workload in ("W1", "W1b"):
        at_once = 100 if workload == "W1b" else 1
        finish(start(context))
        began = clock()
        for _ in range(count):
            for started in [start(context) for _ in range(at_once)]:
                finish(started)
        took = (clock() - began) / count
        return took * 1e3 if workload == "W1b" else took * 1e6
    if workload == "W2":
        began = clock()
        for _ in range(count):
            with context.Pool(2) as pool:
                assert pool.apply(echo, (7,)) == 7
                pool.close()
                pool.join()
        return (clock() - began) * 1e3 / count
    if workload == "W7":
        lock = context.Lock()
        began = clock()
        for _ in range(count):
            with lock:
                pass
        return (clock() - began) * 1e9 / count
    if workload == "W7b":
        lock, value = context.Lock(), context.RawValue("L")
        children = [context.Process(target=count_up, args=(lock, count // 2, value)) for _ in range(2)]
        began = clock()
        for child in children:
            child.start()
        for child in children:
            child.join()
        # For a million each, as the others.
        return (clock() - began) * 1e3 * 2_000_000 / count
    with context.Pool(1 if workload in ("W5", "W5r") else 2) as pool:
        pool.map(echo, range(4), chunksize=1)
        began = clock()
        if workload == "W3":
            result = pool.map(square, range(count))
        elif workload == "W3f":
            result = pool.map(square, range(count), chunksize=1)
        elif workload == "W4":
            times = []
            for item in range(count):
                then = clock()
                pool.apply(square, (item,))
                times.append(clock() - then)
            return sorted(times)[len(times) // 2] * 1e6
        elif workload == "W5":
            numbers = make(count)
            began = clock()
            assert pool.apply(total, (numbers,)) == count
            return count * 8 / (clock() - began) / 1e9
        elif workload == "W5r":
            assert len(pool.apply(make, (count,))) == count
            return count * 8 / (clock() - began) / 1e9
        elif workload == "W8":
            pool.map(hits, [(1, count // 2), (2, count // 2)], chunksize=1)
            return (clock() - began) * 1e9 / count
        elif workload == "W10":
            with context.Pool(1) as one:
                one.map(echo, [1])
                began = clock()
                one.map(toil, [15_000] * count, chunksize=1)
                alone = clock() - began
            began = clock()
            pool.map(toil, [15_000] * count, chunksize=1)
            return alone / (clock() - began)
        else:
            raise SystemExit("no such workload")
        assert len(result) == count
        return count / (clock() - began) / 1e6


if __name__ == "__main__":
    print(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))
