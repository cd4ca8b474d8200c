"""RQ, and the only file that imports it: ringing, listening for rings, and the work-horse that answers one.

A ring is an RQ job that says *there is work* and nothing else. What stands in it is never read: the worker takes it
off the list and claims the best ready row of the database. So a ring can't name code to be run, a lost one is made up
for by the sweep, and Valkey may be flushed, or be down, at any time.

Source: docs/adr/0007-a-ring-is-never-read.md
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import DequeueTimeout
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from rq.worker_registration import clean_worker_registry, register

from evidence.errors import BadInput, Unavailable
from workers.stop import HandBack, Stop, listen, signals_held

_log = logging.getLogger(__name__)

QUEUE = "exhibit"
WORKER_TTL_S = 30
MAINTENANCE_S = 30
MONITORING_S = 10
_RING_TTL_S = 600
"""A ring that nobody took is worthless after a while: the sweep looks anyway."""
_MOST_RINGS = 64
_TAKEN_DOWN_S = 15
"""How long a work-horse may take to hand its step back before it is killed."""
_LOOK_EVERY_S = 0.5
_PR_SET_PDEATHSIG = 1


def _connect(url: str, *, patience_s: float = 0) -> Redis:
    # One immediate second try, for a connection that was closed while it was idle; then the caller decides.
    retry = Retry(NoBackoff(), 1)
    try:
        return Redis.from_url(url, socket_connect_timeout=3, socket_timeout=patience_s + 10, retry=retry)
    except ValueError as exc:
        raise BadInput(
            f"setting redis_url can't be understood: {exc}", hint="Write it as redis://host:6379/0 or unix:///path/socket"
        ) from exc


def _queue(connection: Redis) -> Queue:
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def answer() -> None:
    """What a ring names as its function. Rings are answered by `Listener`, with the worker's own settings."""


class RqBell:
    """The bell on Valkey or Redis. A ring that can't be made is logged and forgotten: the sweep makes up for it."""

    def __init__(self, redis_url: str) -> None:
        self._connection = _connect(redis_url)

    def ring(self, times: int = 1) -> None:
        """Never raises."""
        try:
            queue = _queue(self._connection)
            for _ in range(min(times, _MOST_RINGS)):
                queue.enqueue(
                    answer,
                    job_timeout=MONITORING_S,
                    ttl=_RING_TTL_S,
                    result_ttl=0,
                    failure_ttl=_RING_TTL_S,
                    description="there is work",
                )
        except RedisError as exc:
            _log.warning("the bell could not be rung, the sweep makes up for it: %s", exc)

    def listening(self) -> list[str]:
        """Names of the workers that listen now. Raises: Unavailable."""
        try:
            return sorted(key.removeprefix("rq:worker:") for key in Worker.all_keys(queue=_queue(self._connection)))
        except RedisError as exc:
            raise Unavailable(f"the bell can't be reached: {exc}") from exc


class Listener:
    """A worker process' ear: exactly one queue, registered with RQ as the worker `name`.

    `work` is called without arguments for a ring, and for a look without one; it says whether there was work.
    """

    def __init__(self, redis_url: str, name: str, stop: Stop, *, patience_s: float) -> None:
        self._url = redis_url
        self._name = name
        self._stop = stop
        self._patience_s = patience_s
        self._worker: Worker | None = None

    def listen(self, work: Callable[[bool], None]) -> None:
        """Until told to stop: `work(True)` for every ring, `work(False)` whenever none came for a while.

        While the bell is down it is the same with looks only.
        """
        while not self._stop.asked:
            try:
                self._listen(work)
            except RedisError as exc:
                _log.warning("the bell is silent, looking for work without it: %s", exc)
                work(False)
                self._stop.wait(self._patience_s)

    def _listen(self, work: Callable[[bool], None]) -> None:
        connection = _connect(self._url, patience_s=self._patience_s)
        queue = _queue(connection)
        self._worker = worker = Worker(
            [queue],
            name=self._name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=MAINTENANCE_S,
            job_monitoring_interval=MONITORING_S,
        )
        connection.delete(worker.key)
        worker.register_birth()
        try:
            while not self._stop.asked:
                worker.heartbeat()
                if worker.should_run_maintenance_tasks:
                    self._maintain(worker, queue)
                rung = self._take_ring(queue)
                worker.set_state(WorkerStatus.BUSY)
                work(rung)
                worker.set_state(WorkerStatus.IDLE)
        finally:
            self._worker = None
            try:
                worker.register_death()
            except RedisError:
                _log.info("the bell did not hear that this worker ends; it forgets by itself")

    def _take_ring(self, queue: Queue) -> bool:
        """Wait for a ring and take it off the list unread. False: none came for a while."""
        try:
            with self._stop.may_interrupt():
                taken = Queue.lmove(queue.connection, queue.key, self._patience_s)
        except DequeueTimeout:
            return False
        except HandBack:
            # Its answer may still be on the way: the next command would take it for its own.
            queue.connection.connection_pool.disconnect()
            return False
        ring = taken[1].decode("utf-8", "replace")
        with queue.connection.pipeline() as pipeline:
            pipeline.delete(Job.key_for(ring))
            pipeline.lrem(IntermediateQueue.get_intermediate_queue_key(queue.key), 1, taken[1])
            pipeline.execute()
        return True

    def _maintain(self, worker: Worker, queue: Queue) -> None:
        """Forget dead workers, and rings that a worker took and died with."""
        clean_worker_registry(queue)
        with queue.connection.pipeline() as pipeline:  # after a FLUSHALL nobody knows of us
            register(worker, pipeline)
            pipeline.hset(worker.key, mapping=worker.serialize())
            pipeline.execute()
        queue.connection.delete(IntermediateQueue.get_intermediate_queue_key(queue.key))
        worker.last_cleaned_at = worker.last_heartbeat

    def still_here(self) -> None:
        """Called now and then during long work, so that RQ doesn't take this worker for dead."""
        if self._worker is not None:
            try:
                self._worker.heartbeat(MONITORING_S + 60)
            except RedisError:
                _log.info("the bell is silent; the work goes on")


class WorkHorse:
    """One forked process that does the work of a ring and ends, so that its memory goes back to the system.

    It is told to stop when its worker is told, or dies.
    """

    def __init__(self, work: Callable[[Stop], None], stop: Stop) -> None:
        self._work = work
        self._stop = stop
        self._process = multiprocessing.get_context("fork").Process(target=self._run, args=(os.getpid(),))

    def run(self, while_waiting: Callable[[], None], timeout_s: float) -> bool:
        """Start it and wait for its end; whether it ended well.

        After `timeout_s` it is killed, and not asked to hand its step back: the lease runs out and a killed attempt is
        counted, so that no step is begun for ever.
        """
        if self._stop.asked:
            return True
        with signals_held():
            self._process.start()
        deadline = time.monotonic() + timeout_s
        next_sign = time.monotonic() + MONITORING_S
        while not self._stop.asked and time.monotonic() < deadline:
            self._process.join(_LOOK_EVERY_S)
            if not self._process.is_alive():
                break
            if time.monotonic() > next_sign:
                next_sign = time.monotonic() + MONITORING_S
                while_waiting()
        self._take_down(late=time.monotonic() >= deadline)
        code = self._process.exitcode
        self._process.close()
        return code == 0

    def _take_down(self, *, late: bool) -> None:
        if self._process.is_alive() and not late:
            self._process.terminate()
            self._process.join(_TAKEN_DOWN_S)
        if self._process.is_alive():
            _log.error("the work-horse did not end in time and is killed")
            self._process.kill()
        self._process.join()

    def _run(self, worker: int) -> None:
        stop = Stop()

        def told(*_: object) -> None:
            signal.alarm(_TAKEN_DOWN_S)  # not caught: whatever it hangs in by then, it ends
            stop.ask()

        listen(told)
        os.setpgid(0, 0)
        die_with(worker)
        self._work(stop)


def die_with(parent: int) -> None:
    """Be told to stop when the process `parent`, which forked us from its main thread, ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM.value) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit(1)
