"""Upgrades under the shipped unit, and what the service manager makes of them."""
import signal
from service import *


def upgrade(peers):
    """One upgrade while a client connects all the time."""
    before, kept = show("MainPID"), same()
    refused, stop = [], threading.Event()

    def visit():
        while not stop.is_set():
            try:
                with socket.create_connection(LISTENER, timeout=30) as peer:
                    echo(peer)
            except OSError as e:
                refused.append(str(e))

    visitor = threading.Thread(target=visit)
    visitor.start()
    states, watch = set(), threading.Event()

    def look():
        while not watch.is_set():
            states.add(show("ActiveState"))
            time.sleep(0.05)

    looker = threading.Thread(target=look)
    looker.start()
    code, said = run(f"/proc/{before}/exe", "upgrade")
    changed = until(lambda: show("MainPID") not in (before, "0"))
    gone = until(lambda: not os.path.exists(f"/proc/{before}"))
    stop.set()
    watch.set()
    visitor.join()
    looker.join()
    return {"code": code, "said": said, "changed": changed, "old_gone": gone, "same": same() == kept, "states": sorted(states),
            "alive": alive(peers), "refused": refused, "processes": processes()}


def main(seen):
    echo_backend()
    systemctl("start", UNIT)
    seen["started"] = until(is_serving)
    peers = quiet(100)
    seen["first"] = upgrade(peers)
    # The new process feeds the watchdog: more than its time passes, and nothing is restarted.
    kept = same()
    pinged = show("WatchdogTimestampMonotonic")
    seen["pinged"] = until(lambda: int(show("WatchdogTimestampMonotonic")) > int(pinged) + 4_000_000, 60)
    seen["not_restarted"] = same() == kept
    seen["reload"] = systemctl("reload", UNIT)[0]
    # It hangs: the watchdog ends it, the manager starts the next one, and that goes on with its connections.
    before = show("MainPID")
    began = time.monotonic()
    os.kill(int(before), signal.SIGSTOP)
    seen["hung_replaced"] = another_serves(before)
    seen["hung_after"] = time.monotonic() - began
    seen["restarts_hung"] = show("NRestarts")
    seen["alive_hung"] = alive(peers)
    seen["second"] = upgrade(peers)
    before = show("MainPID")
    began = time.monotonic()
    os.kill(int(before), signal.SIGKILL)
    seen["killed_replaced"] = another_serves(before)
    seen["killed_after"] = time.monotonic() - began
    seen["restarts_killed"] = show("NRestarts")
    seen["alive_killed"] = alive(peers)
    seen["third"] = upgrade(peers)
    # A stop in good order, of a process that the manager has not started itself: the connections get their grace, and the keeper ends too.
    for peer in peers:
        threading.Thread(target=lambda peer=peer: peer.recv(1) or peer.close(), daemon=True).start()
    began = time.monotonic()
    seen["stop"] = systemctl("stop", UNIT)[0]
    seen["stop_took"] = time.monotonic() - began
    seen["left"] = processes()
    seen["result"] = show("Result")
    seen["names"] = of_balancer()
    seen["files"] = os.path.exists("/run/l4balancer")


report(main)
