#!/usr/bin/env python3
"""What many containers on one machine cost, with runtimes that are called like runc (docs/performance.md):

    bench/many.py [--containers N] [--cgroup v1] [--network] NAME=PROGRAM...

One program after the other makes N running containers, of one process and one cgroup each, is asked about them, and removes them; what is
left then is an error. All of it is in namespaces and a cgroup of its own. Needs root, and a quiet machine."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# What the containers that were there first are to the others: the times beside ten are what those beside thousands are held against.
FEW = 10
RUNS = os.environ.get("RUNS", "20")


class World:
    """A file system in memory, a root file system in it, and one hierarchy of cgroups or those of v1."""

    def __init__(self, directory, cgroup):
        self.directory, self.group = directory, os.path.basename(directory)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
        if cgroup == "v1":
            if os.path.exists("/sys/fs/cgroup/unified/cgroup.procs"):
                run("umount", "/sys/fs/cgroup/unified")
        elif not os.path.exists("/sys/fs/cgroup/cgroup.procs"):
            run("umount", "--recursive", "/sys/fs/cgroup")
            run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        for name in ("bin", "proc", "dev", "sys"):
            os.makedirs(self.path(f"rootfs/{name}"))
        for name in ("sleep", "true"):
            shutil.copy(shutil.which("busybox"), self.path(f"rootfs/bin/{name}"))
        here = pathlib.Path(__file__).parent
        run("cc", "-O2", "-static", "-o", self.path("timeit"), here / "timeit.c")
        self.spec = json.loads(here.joinpath("../spec-fixtures/runc-default.json").read_text())

    def path(self, name):
        return f"{self.directory}/{name}"

    def bundle(self, number, network):
        path = self.path(f"bundles/{number}")
        os.makedirs(path, exist_ok=True)
        self.spec["process"].update(args=["/bin/sleep", "100000"], terminal=False)
        self.spec["root"]["path"] = self.path("rootfs")
        linux = self.spec["linux"]
        linux["cgroupsPath"] = f"/{self.group}/{number}"
        linux["namespaces"] = [one for one in linux["namespaces"] if network or one["type"] != "network"]
        pathlib.Path(f"{path}/config.json").write_text(json.dumps(self.spec))
        return path

    def left(self):
        """What containers leave on a host: processes, cgroups, mounts. Those of the kernel that are about to go have two seconds."""
        for _ in range(200):
            reap()
            processes = [one for one in os.listdir("/proc") if one.isdigit() and int(one) != os.getpid()]
            cgroups = [str(one) for one in pathlib.Path("/sys/fs/cgroup").glob(f"**/{self.group}/*/")]
            mounts = len(pathlib.Path("/proc/self/mountinfo").read_text().splitlines())
            if not processes and not cgroups:
                break
            time.sleep(0.01)
        return processes, cgroups, mounts


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def reap():
    """Containers' first processes, whose parent this becomes."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Runtime:
    def __init__(self, world, name, program, network):
        self.world, self.name, self.program, self.network, self.ids = world, name, program, network, []

    def call(self, *words, output="output"):
        """Runs it to its end, and gives the milliseconds."""
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        files = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        files += [(os.POSIX_SPAWN_OPEN, fd, self.world.path(name), write, 0o600) for fd, name in ((1, output), (2, "errors"))]
        begin = time.perf_counter()
        pid = os.posix_spawn(self.program, self.command(*words), os.environ, file_actions=files)
        status = os.waitpid(pid, 0)[1]
        spent = (time.perf_counter() - begin) * 1e3
        if status:
            raise RuntimeError(f"{self.name} {' '.join(words)}: {self.text('errors')}")
        reap()
        return spent

    def command(self, *words):
        return [self.program, "--root", self.world.path(f"state-{self.name}"), *words]

    def text(self, name="output"):
        return pathlib.Path(self.world.path(name)).read_text()

    def add(self, number):
        """One more running container; the milliseconds of create and start."""
        name, bundle = f"c{number}", self.world.bundle(number, self.network)
        times = self.call("create", "--bundle", bundle, name), self.call("start", name)
        self.ids.append(name)
        return times

    def remove(self):
        return self.call("delete", "--force", self.ids.pop())

    def questions(self):
        """What the verbs about all containers, and about one, take now: medians of milliseconds, peaks of MiB."""
        self.call("list", "-q")
        if sorted(self.text().split()) != sorted(self.ids):
            raise RuntimeError(f"{self.name}: list does not have what there is")
        verbs = ["list", "list -q", "list --format json", "state ID", "ps ID", "ps --format json ID", "exec ID /bin/true"]
        if "top" in run(self.program, "--help"):
            verbs.append("top --once")
        for verb in verbs:
            words = verb.replace("ID", self.ids[len(self.ids) // 2]).split()
            for unit, options in (("ms", ()), ("MiB", ("-m",))):
                told = run(self.world.path("timeit"), "-n", RUNS, *options, "--", self.name, *self.command(*words))
                yield f"{verb}, {unit}", json.loads(told)["median"]


def available():
    return int(pathlib.Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0])


def percentile(times, part):
    return sorted(times)[int(len(times) * part)]


def compare(runtime, count):
    """All numbers of a runtime, by name."""
    before = runtime.world.left()
    for number in range(FEW):
        runtime.add(number)
    few = [[], [], []]
    for _ in range(count // 4):
        for times, spent in zip(few, (*runtime.add(FEW), runtime.remove())):
            times.append(spent)
    asked = dict(runtime.questions())
    memory = available()
    many = [runtime.add(number) for number in range(FEW, count)]
    yield f"KiB of the host for one of {count}", (memory - available()) / (count - FEW)
    many = [*map(list, zip(*many)), []]
    for what, number in runtime.questions():
        yield f"{what}, beside {FEW}", asked[what]
        yield f"{what}, beside {count}", number
    for _ in range(count // 4):
        many[2].append(runtime.remove())
    for verb, beside_few, beside_many in zip(("create", "start", "delete --force"), few, many):
        yield f"{verb}, median beside {FEW}, ms", statistics.median(beside_few)
        yield f"{verb}, median of the last {count // 4}, ms", statistics.median(beside_many[-count // 4:])
        yield f"{verb}, p99 beside {FEW}, ms", percentile(beside_few, 0.99)
        yield f"{verb}, p99 of all, ms", percentile(beside_many, 0.99)
        yield f"{verb}, p99 of all, times that beside {FEW}", percentile(beside_many, 0.99) / percentile(beside_few, 0.99)
        yield f"{verb}, p99 of the last {count // 4}, ms", percentile(beside_many[-count // 4:], 0.99)
    while runtime.ids:
        runtime.remove()
    if runtime.world.left() != before or os.listdir(runtime.world.path(f"state-{runtime.name}")):
        raise RuntimeError(f"{runtime.name}: left behind: {runtime.world.left()}, before: {before}")


def inside(options, directory):
    world = World(directory, options.cgroup)
    for text in options.programs:
        name, _, program = text.partition("=")
        for what, number in compare(Runtime(world, name, program, options.network), options.containers):
            print(f"{name}: {what}: {number:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=2000, metavar="N")
    parser.add_argument("--cgroup", choices=("v1", "v2"), default="v2")
    parser.add_argument("--network", action="store_true", help="a network namespace for each, which costs the kernel more than all else")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("programs", nargs="+", metavar="NAME=PROGRAM")
    options = parser.parse_args()
    if options.inside:
        return inside(options, options.inside)
    directory = tempfile.mkdtemp(prefix="many-", dir="/run")
    try:
        # With the process namespace ends whatever is in it.
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
                               sys.executable, __file__, "--inside", directory, *sys.argv[1:]]).returncode
    finally:
        os.rmdir(directory)
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"**/{os.path.basename(directory)}"):
            for one in [*group.glob("*/"), group]:
                one.rmdir()


sys.exit(main())
