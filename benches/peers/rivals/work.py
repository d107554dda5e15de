"""CPython's multiprocessing at the workloads that are not messages: one figure, in the unit of the workload.

work.py WORKLOAD VARIANT COUNT

VARIANT is a start method, except where a workload has no processes to start.
"""

import array
import multiprocessing as mp
import sys
import time


def now():
    return time.perf_counter()


def middle(times):
    return sorted(times)[len(times) // 2]


def echo(x):
    return x


def reply(to, x):
    to.send(echo(x))


def square(x):
    return x * x & 0xFFFF_FFFF_FFFF_FFFF


def total(numbers):
    return sum(numbers)


def make(length):
    return array.array("d", [1.0]) * length


def spin(steps):
    state = 1
    for step in range(steps):
        state = (state * 6364136223846793005 ^ step) & 0xFFFF_FFFF
    return state


def throw(points):
    state, hits = 0x9E3779B97F4A7C15, 0
    for _ in range(points):
        state ^= state << 13 & 0xFFFF_FFFF_FFFF_FFFF
        state ^= state >> 7
        state ^= state << 17 & 0xFFFF_FFFF_FFFF_FFFF
        x, y = state >> 32, state & 0xFFFF_FFFF
        if x * x + y * y < 1 << 64:
            hits += 1
    return hits


def count_up(counter, times, start, ready):
    ready.release()
    start.wait()
    for _ in range(times):
        with counter.get_lock():
            counter.value += 1


def starts(context, count, at_once):
    """Seconds for COUNT times AT_ONCE processes, each of which gives a value back by a pipe of its own."""

    def once(at_once):
        running = []
        for _ in range(at_once):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=reply, args=(sender, 7))
            child.start()
            sender.close()
            running.append((child, receiver))
        for child, receiver in running:
            assert receiver.recv() == 7
            child.join()

    once(1)
    began = now()
    for _ in range(count):
        once(at_once)
    return now() - began


def pools(context, count):
    def once():
        pool = context.Pool(2)
        assert pool.apply(echo, (7,)) == 7
        pool.close()
        pool.join()

    once()
    began = now()
    for _ in range(count):
        once()
    return now() - began


def rate(count, chunk):
    items = list(range(count))
    with mp.Pool(2) as pool:
        pool.map(square, range(100))
        began = now()
        squares = pool.map(square, items, chunk)
        took = now() - began
    assert squares[-1] == (count - 1) ** 2
    return count / took / 1e6


def round_trips(count):
    times = []
    with mp.Pool(2) as pool:
        for number in range(count):
            began = now()
            assert pool.apply(echo, (number,)) == number
            times.append(now() - began)
    return middle(times) * 1e6


def bulk(task, argument, length):
    """GB/s of the second use."""
    with mp.Pool(1) as pool:
        for _ in range(2):
            began = now()
            pool.apply(task, (argument,))
            took = now() - began
    return length * 8 / took / 1e9


def alone(lock, count):
    began = now()
    for _ in range(count):
        with lock:
            pass
    return (now() - began) * 1e9 / count


def two(count):
    """Milliseconds for a million each, from COUNT each."""
    counter, start, ready = mp.Value("Q", 0), mp.Event(), mp.Semaphore(0)
    children = [mp.Process(target=count_up, args=(counter, count, start, ready)) for _ in range(2)]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    began = now()
    start.set()
    for child in children:
        child.join()
    took = now() - began
    assert counter.value == 2 * count
    return took * 1e3 * 1_000_000 / count


def busy(tasks):
    steps = 20_000
    began = now()
    spin(steps)
    steps = int(steps * 0.002 / (now() - began))

    def took(workers):
        with mp.Pool(workers) as pool:
            pool.map(spin, [1] * workers)
            began = now()
            pool.map(spin, [steps] * tasks)
            return now() - began

    return took(1) / took(2)


def points(count):
    with mp.Pool(2) as pool:
        pool.map(throw, [1, 1])
        began = now()
        hits = sum(pool.map(throw, [count // 2] * 2, 1))
        took = now() - began
    assert abs(4 * hits / count - 3.14159) < 0.1
    return took * 1e9 / count


def main():
    workload, variant, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    methods = mp.get_all_start_methods()
    context = mp.get_context(variant) if variant in methods else mp
    match workload:
        case "W1":
            figure = starts(context, count, 1) * 1e6 / count
        case "W1b":
            figure = starts(context, count, 100) * 1e3 / count
        case "W2":
            figure = pools(context, count) * 1e3 / count
        case "W3":
            figure = rate(count, None)
        case "W3f":
            figure = rate(count, 1)
        case "W4":
            figure = round_trips(count)
        case "W5":
            figure = bulk(total, make(count), count)
        case "W5r":
            figure = bulk(make, count, count)
        case "W7":
            figure = alone(mp.Lock() if variant == "Lock" else mp.Value("Q", 0).get_lock(), count)
        case "W7b":
            figure = two(count)
        case "W8":
            figure = points(count)
        case "W10":
            figure = busy(count)
    print(figure)


if __name__ == "__main__":
    main()
