"""What locker.so, the plugin, wrote down, and how to judge the order in it."""

import collections
import itertools
import pathlib

import pegboard

FINAL = ("done", "skip", "fail")


def about(object, **orders):
    """An event for the object of that id; None for an event without one. The
    orders are for locker.so: gate, retries, crashes, fail, skip."""
    data = {"object": "balance", "metadata": {
        key: str(value) for key, value in orders.items()}}
    if object is not None:
        data.update(id=object, object="payment_intent")
    return pegboard.event(obj=data)


class Locker:
    """The lines of a locker.so; made as a section of the ini."""

    Line = collections.namedtuple(
        "Line", "kind ns id object attempt pid what")

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.dir = pathlib.Path(f"{path}.locks")
        self.dir.mkdir()
        self._lines, self._offset = [], 0

    def section(self, name, *keys, concurrency=1, **options):
        options.setdefault("slots", concurrency)
        return pegboard.section(
            name, "locker", f"concurrency = {concurrency}", *keys,
            file=self.path, dir=self.dir, **options)

    def open_gate(self):
        (self.dir / "gate").touch()

    def lines(self):
        """All whole lines so far, in the order in which they happened."""
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._offset += len(whole) + 1
                for text in whole.decode().split("\n"):
                    kind, ns, id, object, attempt, pid, what = text.split()
                    self._lines.append(self.Line(
                        kind, int(ns), id, object, int(attempt), int(pid),
                        what))
        return self._lines[:]

    def of_kind(self, *kinds):
        return [line for line in self.lines() if line.kind in kinds]

    def begun(self):
        """The ids of events, once for each call."""
        return [line.id for line in self.of_kind("B")]

    def ended(self, *verdicts):
        """The ids of calls that ended with one of them; any if none given."""
        return [line.id for line in self.of_kind("E")
                if not verdicts or line.what in verdicts]


class Call:
    """A call of the handler: its lines, by number. `end` is None when the
    process died."""

    def __init__(self, at, line):
        self.begin, self.line, self.end = at, line, None


def calls_of(lines):
    """The calls, in the order of their beginning."""
    calls, open_calls = [], {}
    for at, line in enumerate(lines):
        if line.kind == "B":
            open_calls[line.pid] = Call(at, line)
            calls.append(open_calls[line.pid])
        elif line.kind in "EC":
            call = open_calls.pop(line.pid)
            assert call.line.id == line.id, (call.line, line)
            call.end = at
    return calls


def lanes_of(lines):
    """The calls for each object, in the order of their beginning."""
    lanes = collections.defaultdict(list)
    for call in calls_of(lines):
        if call.line.object != "-":
            lanes[call.line.object].append(call)
    return lanes


def overlaps(lines):
    """Pairs of calls for one object that ran at the same time. One whose
    process died ended nobody knows when: its lock tells of that."""
    return [(a.line, b.line) for lane in lanes_of(lines).values()
            for a, b in itertools.combinations(lane, 2)
            if a.end is not None and a.begin < b.begin < a.end]


def most_at_once(lines):
    """Of all objects."""
    most = running = 0
    for line in lines:
        running += {"B": 1, "E": -1, "C": -1}.get(line.kind, 0)
        most = max(most, running)
    return most


def crowds(lines):
    """Calls that began while more were at work than the newest generation among
    them allows. Tags tell of both: "NUMBER/CONCURRENCY". Those whose process
    died ended nobody knows when."""
    calls = [call for call in calls_of(lines) if call.end is not None]
    begins = {call.begin: call for call in calls}
    ends = {call.end: call for call in calls}
    at_work, wrong = {}, []
    for at in sorted([*begins, *ends]):
        if at in ends:
            del at_work[ends[at]]
            continue
        tag = begins[at].line.what.split("/")
        at_work[begins[at]] = tuple(map(int, tag))
        if len(at_work) > max(at_work.values())[1]:
            wrong.append(begins[at].line)
    return wrong


def begun_too_early(lines, seqs, excused=()):
    """Pairs of first calls for one object in the wrong order; seqs tells the
    order of arrival. Events that are excused may come late."""
    wrong = []
    for lane in lanes_of(lines).values():
        seen, last = set(excused), None
        for call in lane:
            if call.line.id in seen:
                continue
            seen.add(call.line.id)
            if last is not None and seqs[call.line.id] < seqs[last.line.id]:
                wrong.append((last.line, call.line))
            last = call
    return wrong


def overtakers(lines, seqs, dead=()):
    """Pairs of calls for one object of which the second began before the event
    of the first was done or dead."""
    wrong = []
    for lane in lanes_of(lines).values():
        for a, b in zip(lane, lane[1:]):
            if a.line.id == b.line.id:
                continue
            is_over = a.line.id in dead or (
                a.end is not None and lines[a.end].what in FINAL)
            if not is_over or seqs[b.line.id] < seqs[a.line.id]:
                wrong.append((a.line, b.line))
    return wrong
