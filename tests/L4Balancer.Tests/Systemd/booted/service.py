"""
What the scripts in the booted container share: the service, its processes, a backend and clients. Each script runs as a service there, and writes what it
saw, a JSON object, to /results/seen.json.
"""
import json, os, socket, subprocess, threading, time

LISTENER = ("127.0.0.1", 8443)
UNIT = "l4balancer.service"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, (done.stdout + done.stderr).strip()


def systemctl(*args):
    return run("systemctl", *args)


def show(what):
    return systemctl("show", "--value", "-p", what, UNIT)[1]


def until(what, deadline=30):
    end = time.monotonic() + deadline
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def echo_backend():
    listener = socket.create_server(("127.0.0.1", 9000), backlog=1024)

    def serve(peer):
        with peer:
            while data := peer.recv(4096):
                peer.sendall(data)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def echo(peer):
    """1 if the connection lives."""
    try:
        peer.sendall(b"quiet")
        data = b""
        while len(data) < 5:
            more = peer.recv(5)
            if not more:
                return 0
            data += more
        return 1
    except OSError:
        return 0


def quiet(count):
    peers = [socket.create_connection(LISTENER, timeout=30) for _ in range(count)]
    answered = alive(peers)
    return peers if answered == count else []


def settle():
    """A client has its bytes a moment before the event loop notes that they are written: one that is killed in between costs that connection."""
    time.sleep(0.3)


def alive(peers):
    living = sum(echo(peer) for peer in peers)
    settle()
    return living


def processes():
    """The names of what runs in the group of the service."""
    names = []
    group = show("ControlGroup")
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"):
        path = f"{root}{group}/cgroup.procs"
        if group and os.path.exists(path):
            names = [open(f"/proc/{pid}/comm").read().strip() for pid in open(path).read().split()] or names
    return sorted(names)


def is_serving():
    return show("ActiveState") == "active" and show("SubState") == "running"


def another_serves(before):
    """Whether the main process is another one than that by now, and ready."""
    return until(lambda: show("MainPID") not in (before, "0") and is_serving())


def same():
    """What stays while nothing is restarted."""
    return {name: show(name) for name in ("InvocationID", "ActiveEnterTimestampMonotonic", "NRestarts", "ActiveState", "SubState")}


def of_balancer():
    """The names of all processes of it, wherever they are."""
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            names.append(open(f"/proc/{pid}/comm").read().strip())
        except OSError:
            pass
    return sorted(name for name in names if name.startswith("l4b"))


def journal(lines=200):
    return run("journalctl", "-b", "-u", UNIT, "--no-pager", "-o", "cat", "-n", str(lines))[1]


def report(scenario):
    """Runs it, writes what it saw, and ends the container."""
    seen = {}
    try:
        scenario(seen)
    except Exception as e:
        seen["error"] = repr(e)
    seen["units"] = systemctl("status", "--no-pager", UNIT)[1]
    seen["journal"] = journal()
    with open("/results/seen.tmp", "w") as out:
        json.dump(seen, out)
    os.rename("/results/seen.tmp", "/results/seen.json")
    systemctl("poweroff", "--force")
