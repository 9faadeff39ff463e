#!/usr/bin/env python3
"""Compares containerd's shims, by asking them as containerd does (docs/shim.md):

    bench/shims.py [--pods N] NAME=SHIM[,RUNTIME]...

SHIM is a program such as containerd-shim-runc-v2, RUNTIME what it calls. They take turns; every number is a median but where it says
otherwise. Needs root, and a quiet machine. With --pods also N pods of one container each, which are started one after the other and then
looked at together."""
import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

TASK = "containerd.task.v2.Task"
NAMESPACE = f"bench-{os.getpid()}"
# Of /proc's kilobytes a megabyte has so many.
KIB = 1e6 / 1024
RUNS = int(os.environ.get("RUNS", "100"))


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def message(*fields):
    """(number, value)...: a value is an int, a text, or bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def fields(data):
    """What a message has, as far as shims' answers go."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            found[tag >> 3] = number()
        else:
            length = number()
            found[tag >> 3] = data[at:at + length]
            at += length
    return found


def receive(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    length, stream, kind, _ = struct.unpack(">IIBB", exactly(10))
    return stream, exactly(length)


def send(connection, stream, kind, body):
    connection.sendall(struct.pack(">IIBB", len(body), stream, kind, 0) + body)


def take_events(path):
    """containerd's side for events, which are thrown away."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1000)

    def serve(connection):
        try:
            while True:
                stream, _ = receive(connection)
                send(connection, stream, 2, b"")
        except (EOFError, OSError):
            connection.close()

    def accept():
        while True:
            threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


class Shim:
    """One shim with what it is asked."""
    count = 0
    running = []

    def __init__(self, world, kind):
        Shim.count += 1
        self.world, self.kind, self.id, self.stream, self.ids = world, kind, f"{NAMESPACE}-{Shim.count}", 1, []
        bundle = world.bundle(self.id, self.id)
        begin = time.perf_counter()
        answer = subprocess.run(
            [kind.program, "-namespace", NAMESPACE, "-address", world.path("c.sock"), "-publish-binary", "/bin/true", "-id", self.id,
             "start"], cwd=bundle, input=kind.options(world), capture_output=True, check=True, env=world.environment).stdout
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(answer.decode().strip().removeprefix("unix://"))
        Shim.running.append(self)
        self.run(self.id)
        self.start_time = time.perf_counter() - begin
        self.pid = fields(self.call("Connect", (1, self.id)))[1]

    def call(self, method, *request):
        send(self.socket, self.stream, 1, message((1, TASK), (2, method), (3, message(*request))))
        stream, answer = receive(self.socket)
        assert stream == self.stream
        self.stream += 2
        answer = fields(answer)
        if 1 in answer:
            raise RuntimeError(f"{self.kind.name}: {method}: {answer[1]}")
        return answer.get(2, b"")

    def run(self, name, args=("/bin/sleep", "100000")):
        bundle = self.world.bundle(name, self.id, args)
        self.call("Create", (1, name), (2, bundle), (10, self.kind.options(self.world)))
        self.call("Start", (1, name))
        self.ids.append(name)

    def run_to_exit(self):
        name = f"{self.id}-run"
        begin = time.perf_counter()
        self.run(name, ["/bin/true"])
        self.call("Wait", (1, name))
        self.call("Delete", (1, self.ids.pop()))
        return time.perf_counter() - begin

    def exec(self):
        spec = json.dumps({"args": ["/bin/true"], "cwd": "/", "env": ["PATH=/bin"]})
        begin = time.perf_counter()
        self.call("Exec", (1, self.id), (2, "x"),
                  (7, message((1, "types.containerd.io/opencontainers/runtime-spec/1/Process"), (2, spec))))
        self.call("Start", (1, self.id), (2, "x"))
        self.call("Wait", (1, self.id), (2, "x"))
        self.call("Delete", (1, self.id), (2, "x"))
        return time.perf_counter() - begin

    def memory(self):
        """smaps_rollup in KiB."""
        found = {}
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":")
            found[name] = int(value.split()[0])
        return found

    def processor(self):
        """Seconds of the shim and of all that it has waited for."""
        return sum(map(int, pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15])) / os.sysconf("SC_CLK_TCK")

    def switches(self):
        """How often its threads have waited for something so far."""
        return sum(int(line.split()[1]) for status in pathlib.Path(f"/proc/{self.pid}/task").glob("*/status")
                   for line in status.read_text().splitlines() if line.startswith("voluntary"))

    def threads(self):
        return len(list(pathlib.Path(f"/proc/{self.pid}/task").iterdir()))

    def end(self):
        for name in self.ids:
            self.call("Kill", (1, name), (3, 9))
            self.call("Wait", (1, name))
            self.call("Delete", (1, name))
        Shim.running.remove(self)
        try:
            self.call("Shutdown", (1, self.id))
        except (OSError, EOFError):
            # It may end before it has answered.
            pass
        self.socket.close()


class Kind:
    """A shim and its runtime."""

    def __init__(self, text):
        self.name, _, programs = text.partition("=")
        self.program, _, self.runtime = programs.partition(",")

    def options(self, world):
        """containerd.runc.v1.Options in an Any: 6 is the runtime and 7 the root of its state."""
        runtime = [(6, self.runtime)] if self.runtime else []
        return message((1, "containerd.runc.v1.Options"), (2, message(*runtime, (7, world.path(f"state-{self.name}")))))


class World:
    """A directory with a root file system and bundles."""

    def __init__(self, spec):
        self.logs, self.directory, self.spec = [], tempfile.mkdtemp(prefix="shims-", dir="/run"), spec
        self.environment = {"PATH": os.environ["PATH"], "TTRPC_ADDRESS": self.path("t.sock"), "GOMAXPROCS": "2"}
        for name in ("bin", "proc", "dev", "sys"):
            os.makedirs(self.path(f"rootfs/{name}"))
        shutil.copy(shutil.which("busybox"), self.path("rootfs/bin/busybox"))
        for name in ("sleep", "true"):
            os.symlink("busybox", self.path(f"rootfs/bin/{name}"))
        take_events(self.path("t.sock"))

    def path(self, name):
        return f"{self.directory}/{name}"

    def bundle(self, name, group, args=("/bin/sleep", "100000")):
        path = self.path(f"bundles/{NAMESPACE}/{name}")
        os.makedirs(path, exist_ok=True)
        spec = json.loads(self.spec)
        spec["process"].update(args=list(args), terminal=False)
        spec["root"]["path"] = self.path("rootfs")
        spec["annotations"] = {"io.containerd.runc.v2.group": group}
        spec["linux"]["cgroupsPath"] = f"/{NAMESPACE}/{name}"
        pathlib.Path(f"{path}/config.json").write_text(json.dumps(spec))
        if name == group and not os.path.exists(f"{path}/log"):
            # containerd reads the shim's log.
            os.mkfifo(f"{path}/log")
            self.logs.append(os.open(f"{path}/log", os.O_RDWR | os.O_NONBLOCK))
        return path


def compare(world, kinds):
    shims = [Shim(world, kind) for kind in kinds]
    # The one that has started a shim is about to end.
    time.sleep(2)
    one = [shim.memory() for shim in shims]
    for runs in (10, RUNS):
        # The first ones only bring to life what stays.
        execs, lives, before = [[] for _ in shims], [[] for _ in shims], [shim.processor() for shim in shims]
        for _ in range(runs):
            for shim, times in zip(shims, execs):
                times.append(shim.exec())
        after = [shim.processor() for shim in shims]
        for _ in range(runs // 2):
            for shim, times in zip(shims, lives):
                times.append(shim.run_to_exit())
    grown = [shim.memory() for shim in shims]
    for shim in shims:
        for i in range(20):
            shim.run(f"{shim.id}-{i}")
    pods = [shim.memory() for shim in shims]
    # Threads that have nothing to do end.
    time.sleep(15)
    before_idle = [shim.switches() for shim in shims]
    time.sleep(10)
    idle = [shim.switches() for shim in shims]
    for i, shim in enumerate(shims):
        yield shim.kind.name, {
            "RSS with one container, MB": one[i]["Rss"] / KIB, "PSS, MB": one[i]["Pss"] / KIB,
            "private and written to, MB": one[i]["Private_Dirty"] / KIB, "the same after the execs, MB": grown[i]["Private_Dirty"] / KIB,
            "KiB for each further container": (pods[i]["Private_Dirty"] - grown[i]["Private_Dirty"]) / 20,
            "threads": shim.threads(), "wake-ups in 10 s": idle[i] - before_idle[i],
            "exec, best, ms": min(execs[i]) * 1e3, "exec, ms": statistics.median(execs[i]) * 1e3,
            "processor time of an exec, ms": (after[i] - before[i]) / RUNS * 1e3,
            "run to exit, ms": statistics.median(lives[i]) * 1e3,
        }
        shim.end()


def pods(world, kind, count):
    shims = [Shim(world, kind) for _ in range(count)]
    times = [shim.start_time * 1e3 for shim in shims]
    yield f"PSS of one of {count}, MB", sum(shim.memory()["Pss"] for shim in shims) / count / KIB
    yield "start of the tenth (median of the 6th to 15th), ms", statistics.median(times[5:15])
    yield "p99 of all starts, ms", sorted(times)[int(count * 0.99) - 1]
    yield "median of all starts, ms", statistics.median(times)
    for shim in shims:
        shim.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=0, metavar="N")
    parser.add_argument("shims", nargs="+", metavar="NAME=SHIM[,RUNTIME]")
    options = parser.parse_args()
    kinds = [Kind(text) for text in options.shims]
    spec = pathlib.Path(__file__).with_name("..").joinpath("spec-fixtures/runc-default.json").read_text()
    world = World(spec)
    try:
        for name, numbers in compare(world, kinds):
            for what, number in numbers.items():
                print(f"{name}: {what}: {number:.2f}", flush=True)
        for kind in kinds if options.pods else []:
            for what, number in pods(world, kind, options.pods):
                print(f"{kind.name}: {what}: {number:.2f}", flush=True)
    finally:
        for shim in list(Shim.running):
            try:
                shim.end()
            except (OSError, EOFError, RuntimeError) as error:
                print(f"{shim.kind.name}: {error}", file=sys.stderr)
        shutil.rmtree(world.directory)
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"**/{NAMESPACE}"):
            group.rmdir()


main()
