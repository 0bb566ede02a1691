"""When work is finished that is done several pieces at a time: greedy, as Snakemake does it, most urgent first."""

import graphlib
import heapq
from collections.abc import Collection, Mapping


def finish_times(
    seconds: Mapping[str, float],
    before: Mapping[str, Collection[str]],
    slots: int,
    priority: Mapping[str, float] | None = None,
    width: Mapping[str, int] | None = None,
    running: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """Return when each task begins and ends, in seconds from now.

    Parameters
    ----------
    seconds : how long each task takes, or, of one that is running, still takes.
    before : the tasks that each waits for; those that are not in `seconds` are done. They must not wait in a circle.
    slots : how many run at a time: cores of a machine, nodes of a cluster.
    priority : who goes first of those that may begin; without it, the order of `seconds`.
    width : slots that a task takes, 1 unless given; never more than there are.
    running : tasks that have begun: they hold their slots from now on, be they more than there are.

    Examples
    --------
    >>> finish_times({"a": 2, "b": 3, "c": 4}, {"c": ["a"]}, slots=1)
    {'a': (0.0, 2.0), 'b': (2.0, 5.0), 'c': (5.0, 9.0)}
    """
    order = {name: (-(priority or {}).get(name, 0.0), place) for place, name in enumerate(seconds)}
    waits_for = {name: {earlier for earlier in before.get(name, ()) if earlier in seconds} for name in seconds}
    followers: dict[str, list[str]] = {name: [] for name in seconds}
    for name, earlier in waits_for.items():
        for each in earlier:
            followers[each].append(name)
    takes = {name: min((width or {}).get(name, 1), slots) for name in seconds}
    ready = [(order[name], name) for name in seconds if name not in running and not waits_for[name]]
    heapq.heapify(ready)
    times = {name: (0.0, float(seconds[name])) for name in seconds if name in running}
    ends = [(end, name) for name, (_, end) in times.items()]
    heapq.heapify(ends)
    free, now = slots - sum(takes[name] for name in times), 0.0
    while ready or ends:
        waiting = []
        while ready and free > 0:
            place, name = heapq.heappop(ready)
            if takes[name] > free:  # a narrower one may pass it
                waiting.append((place, name))
                continue
            free -= takes[name]
            times[name] = (now, now + seconds[name])
            heapq.heappush(ends, (times[name][1], name))
        for item in waiting:
            heapq.heappush(ready, item)
        now, name = heapq.heappop(ends)
        free += takes[name]
        for follower in followers[name]:
            waits_for[follower].discard(name)
            if not waits_for[follower] and follower not in times:
                heapq.heappush(ready, (order[follower], follower))
    return times


def longest_chains(seconds: Mapping[str, float], before: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Return, for each task, the seconds from its start to the end of the longest chain of tasks that wait for it.

    Who starts the longest chain first loses no time: it decides when everything is finished.

    Examples
    --------
    >>> longest_chains({"a": 2, "b": 3, "c": 4}, {"c": ["a"]})
    {'a': 6, 'b': 3, 'c': 4}
    """
    chain = dict(seconds)
    graph = {name: [earlier for earlier in before.get(name, ()) if earlier in seconds] for name in seconds}
    for name in reversed(list(graphlib.TopologicalSorter(graph).static_order())):
        for earlier in graph[name]:
            chain[earlier] = max(chain[earlier], seconds[earlier] + chain[name])
    return chain
