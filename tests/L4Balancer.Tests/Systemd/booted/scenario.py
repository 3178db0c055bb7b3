"""Starts, reloads, kills, stops: the units of the package as a service manager uses them."""
import signal
from service import *

CONFIG = "/etc/l4balancer/balancer.toml"


def talk(timeout=30):
    with socket.create_connection(LISTENER, timeout=timeout) as peer:
        peer.sendall(b"hello")
        data = b""
        while len(data) < 5:
            more = peer.recv(5)
            if not more:
                raise ConnectionResetError("closed")
            data += more
        return data == b"hello"


def kill_under_connects():
    """Connections begun while the process is dead wait in the socket unit; none is refused, and none that waited is lost."""
    refused, lost, served = [], [], []
    stop = threading.Event()
    killed = threading.Event()

    def visit():
        while not stop.is_set():
            after = killed.is_set()
            try:
                talk()
                served.append(after)
            except ConnectionRefusedError as e:
                refused.append(str(e))
            except OSError as e:
                lost.append((after, str(e)))

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    until(lambda: len(served) > 20)
    before = show("MainPID")
    os.kill(int(before), signal.SIGKILL)
    until(lambda: show("MainPID") not in (before, "0") and show("ActiveState") == "active")
    killed.set()
    count = len(served)
    until(lambda: len(served) > count + 20)
    stop.set()
    for visitor in visitors:
        visitor.join()
    return {"refused": len(refused), "lost": len(lost), "lost_after": sum(1 for after, _ in lost if after), "served": len(served)}


def keeper():
    """Without the socket unit: only the keeper has the sockets while there is no daemon."""
    seen = {}
    systemctl("stop", "l4balancer.socket", "l4balancer.service")
    seen["left_by_stop"] = processes()
    systemctl("start", "l4balancer.service")
    seen["processes"] = processes()
    peers = quiet(100)
    refused = []
    stop = threading.Event()

    def visit():
        while not stop.is_set():
            try:
                talk()
            except ConnectionRefusedError as e:
                refused.append(str(e))
            except OSError:
                pass
            time.sleep(0.01)

    visitor = threading.Thread(target=visit)
    visitor.start()
    lived = []
    for _ in range(3):
        before = show("MainPID")
        os.kill(int(before), signal.SIGKILL)
        another_serves(before)
        lived.append(alive(peers))
    # A daemon that hangs: the watchdog ends it, and the next one goes on.
    before = show("MainPID")
    os.kill(int(before), signal.SIGSTOP)
    another_serves(before)
    lived.append(alive(peers))
    stop.set()
    visitor.join()
    seen["lived"] = lived
    seen["refused"] = len(refused)
    main = show("MainPID")
    for pid in os.listdir("/proc"):
        if pid.isdigit() and open(f"/proc/{pid}/comm").read() == "l4b-keeper\n":
            os.kill(int(pid), signal.SIGKILL)
    seen["gone"] = until(lambda: "l4b-keeper" not in processes(), 5)
    seen["replaced"] = until(lambda: "l4b-keeper" in processes())
    seen["same_main"] = show("MainPID") == main
    seen["reload"], seen["reload_said"] = systemctl("reload", "l4balancer.service")
    seen["journal_then"] = subprocess.run(["journalctl", "-b", "-u", "l4balancer.service", "--no-pager", "-o", "cat", "-n", "12"], capture_output=True, text=True).stdout
    seen["after_reload"] = alive(peers)
    seen["restart"] = systemctl("restart", "l4balancer.service")[0]
    seen["after_restart"] = alive(peers)
    seen["talks"] = talk()
    seen["stop"] = systemctl("stop", "l4balancer.service")[0]
    seen["left"] = processes()
    seen["files"] = os.path.exists("/run/l4balancer/keeper")
    systemctl("start", "l4balancer.socket", "l4balancer.service")
    return seen


def late_address(text):
    """The address of the listener comes after more failures than systemd's start limit would allow by default."""
    systemctl("stop", "l4balancer.socket", "l4balancer.service")
    open(CONFIG, "w").write(text.replace('"127.0.0.1:8443", "127.0.0.2:8443"', '"192.0.2.77:8443"'))
    before = int(show("NRestarts"))
    started = systemctl("start", "l4balancer.service")[0]
    failed = until(lambda: int(show("NRestarts")) >= before + 7, 60)
    subprocess.run(["ip", "address", "add", "192.0.2.77/32", "dev", "lo"])
    return {"started": started, "failed": failed, "active": until(lambda: show("ActiveState") == "active" and show("SubState") == "running")}


def bad_file():
    """Exit code 2 is not answered by a restart."""
    systemctl("stop", "l4balancer.service")
    open(CONFIG, "w").write("[balancer]\nworker = 1\n")
    systemctl("start", "l4balancer.service")
    until(lambda: show("ActiveState") == "failed")
    time.sleep(2)
    return {"state": show("ActiveState"), "status": show("ExecMainStatus"), "restarts": show("NRestarts")}


def main(seen):
    echo_backend()
    seen["socket"] = systemctl("start", "l4balancer.socket")
    # The first connection starts the service, and waits for it.
    seen["activated"] = talk()
    seen["active"] = until(lambda: show("ActiveState") == "active")
    seen["status"] = show("StatusText")
    first = show("WatchdogTimestampMonotonic")
    seen["watchdog"] = until(lambda: show("WatchdogTimestampMonotonic") != first)
    text = open(CONFIG).read()
    open(CONFIG, "w").write(text + '\n[[pools.backends]]\nname = "ws2"\naddress = "127.0.0.1:9001"\n')
    seen["reload"] = systemctl("reload", "l4balancer.service")
    seen["reloaded"] = until(lambda: "2 backends" in show("StatusText"))
    open(CONFIG, "w").write("[balancer]\nworker = 1\n")
    seen["bad_reload"] = systemctl("reload", "l4balancer.service")[0]
    seen["still"] = talk()
    open(CONFIG, "w").write(text)
    seen["kill"] = kill_under_connects()
    seen["restarts"] = show("NRestarts")
    seen["keeper"] = keeper()
    seen["stop"] = systemctl("stop", "l4balancer.service")
    seen["result"] = show("Result")
    seen["late_address"] = late_address(text)
    seen["bad_file"] = bad_file()


report(main)
