"""Stages of one pass that work at the same time, each in a thread."""

import os
import queue
import threading
from collections.abc import Iterator


def ahead(slabs: Iterator) -> Iterator:
    """Yield what `slabs` yields, made one ahead in a thread; its exceptions are raised here.

    A process that is kept on one core would only change back and forth: there it is no thread.
    """
    if len(os.sched_getaffinity(0)) == 1:
        yield from slabs
        return
    ready: queue.Queue = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for slab in slabs:
                if not put((slab, None)):
                    return
            put((None, None))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            slab, error = ready.get()
            if error is not None:
                raise error
            if slab is None:
                return
            yield slab
    finally:
        stop.set()
        thread.join()
