"""Messages through CPython's multiprocessing: one figure, in the unit of the workload.

messages.py Queue|Pipe W6|W6b|W6k|W6m|W6p COUNT
"""

import multiprocessing as mp
import sys
import time


def produce(put, start, count, message):
    start.wait()
    for item in range(count):
        put(item if message is None else message)


def answer(get, put):
    while (item := get()) is not None:
        put(item)


def channel(what):
    if what == "Queue":
        queue = mp.Queue()
        return queue.put, queue.get
    receiver, sender = mp.Pipe(duplex=False)
    return sender.send, receiver.recv


def main():
    what, workload, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if workload == "W6p":
        ask, asked = channel(what)
        reply, replied = channel(what)
        child = mp.Process(target=answer, args=(asked, reply))
        child.start()
        began = time.perf_counter()
        for item in range(count):
            ask(item)
            replied()
        print((time.perf_counter() - began) * 1e6 / count)
        ask(None)
        child.join()
        return
    senders = 2 if workload == "W6b" else 1
    size = {"W6k": 1 << 10, "W6m": 1 << 20}.get(workload)
    message = None if size is None else bytes(size)
    start = mp.Event()
    # Two writers of one Pipe corrupt it, so each has its own.
    channels = [channel(what) for _ in range(senders if what == "Pipe" else 1)]
    each = count // senders
    children = [
        mp.Process(target=produce, args=(channels[me % len(channels)][0], start, each, message))
        for me in range(senders)
    ]
    for child in children:
        child.start()
    began = time.perf_counter()
    start.set()
    for _ in range(each if len(channels) > 1 else each * senders):
        for _, get in channels:
            get()
    rate = each * senders / (time.perf_counter() - began)
    for child in children:
        child.join()
    print(rate / 1e3 if workload == "W6m" else rate / 1e6)


if __name__ == "__main__":
    main()
