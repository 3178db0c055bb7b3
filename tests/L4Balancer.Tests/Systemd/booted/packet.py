"""A packet listener under the shipped unit: without the drop-in packet-mode.conf, and with it."""
import ctypes, pwd, signal, stat
from service import *

CONFIG = "/etc/l4balancer/balancer.toml"
DROP_IN = "/etc/systemd/system/l4balancer.service.d/packet-mode.conf"
PINS = "/sys/fs/bpf/l4balancer"
SERVICE = ("192.0.2.10", 443)
NEWNET = 0x40000000

# A switch with the client on it, and a backend that has the virtual address on lo; the balancer is the container.
NETWORK = """
ip netns add net
ip netns add ws1
ip link add eth0 type veth peer name lb netns net
ip link add eth0 netns ws1 type veth peer name ws1 netns net
ip -n net link add br0 type bridge
for port in lb ws1; do ip -n net link set $port master br0 up; done
ip -n net link set br0 up
ip -n net addr add 10.0.0.100/24 dev br0
ip -n net route add 192.0.2.10/32 via 10.0.0.1
ip addr add 10.0.0.1/24 dev eth0
ip link set eth0 up
ip -n ws1 link set lo up
ip netns exec ws1 sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce'
ip -n ws1 addr add 192.0.2.10/32 dev lo
ip -n ws1 addr add 10.0.0.21/24 dev eth0
ip -n ws1 link set eth0 up
"""


def within(space, what):
    """Runs on a thread in a network namespace."""
    result = []

    def body():
        with open(f"/run/netns/{space}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        result.append(what())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return result[0]


def backend():
    listener = within("ws1", lambda: socket.create_server(("", 443), backlog=64))

    def serve(peer):
        try:
            with peer:
                while data := peer.recv(4096):
                    peer.sendall(data)
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def connect():
    def body():
        try:
            return socket.create_connection(SERVICE, timeout=2)
        except OSError:
            return None
    return within("net", body)


def attached():
    return "xdp" in run("ip", "-d", "link", "show", "eth0")[1]


def kill(peer):
    before = show("MainPID")
    seen = {"meanwhile": 0, "attached": True, "alive": True}
    os.kill(int(before), signal.SIGKILL)

    def look():
        main = show("MainPID")
        there = attached()
        lives = echo(peer) == 1
        seen["attached"] &= there
        seen["alive"] &= lives
        seen["meanwhile"] += main == "0"
        return main not in (before, "0") and is_serving()

    seen["replaced"] = until(look)
    seen["alive"] &= echo(peer) == 1
    seen["journal"] = journal(20)
    return seen


def main(seen):
    # What the kernel has in a whole /sys; that of a container is made of parts of it.
    os.makedirs("/sys/fs/bpf", mode=0o700)
    seen["network"] = run("sh", "-ec", NETWORK)
    backend()
    without = seen["without"] = {}
    without["code"], without["said"] = systemctl("start", UNIT)
    without["attached"] = attached()
    systemctl("stop", UNIT)
    without["journal"] = journal(20)
    run("install", "-D", "-m", "644", "/packaging/systemd/packet-mode.conf", DROP_IN)
    systemctl("daemon-reload")
    systemctl("reset-failed", UNIT)
    seen["started"] = systemctl("start", UNIT)
    program = f"/proc/{show('MainPID')}"
    seen["user"] = pwd.getpwuid(os.stat(program).st_uid).pw_name
    seen["rights"] = next(l.split()[1] for l in open(f"{program}/status") if l.startswith("CapEff"))
    folder = os.stat(PINS)
    seen["folder"] = f"{stat.S_IMODE(folder.st_mode):o} {pwd.getpwuid(folder.st_uid).pw_name}"
    seen["attached"] = attached()
    peers = []
    until(lambda: peers or (peer := connect()) and peers.append(peer) or peers)
    seen["connects"] = len(peers) == 1 and echo(peers[0]) == 1
    peer = peers[0]
    seen["killed"] = kill(peer)
    text = open(CONFIG).read()
    open(CONFIG, "w").write(text + '\n[[pools.backends]]\nname = "ws2"\naddress = "10.0.0.22:443"\n')
    seen["reload"] = systemctl("reload", UNIT)
    seen["reloaded"] = until(lambda: "of 2 backends" in show("StatusText"))
    seen["after_reload"] = echo(peer) == 1
    before = show("MainPID")
    seen["upgrade"] = run(f"/proc/{before}/exe", "upgrade")
    seen["upgraded"] = another_serves(before)
    seen["after_upgrade"] = echo(peer) == 1 and attached()
    seen["restarts"] = show("NRestarts")
    stopped = seen["stopped"] = {}
    stopped["code"], stopped["said"] = systemctl("stop", UNIT)
    stopped["attached"] = attached()
    stopped["left"] = os.listdir(PINS)
    peer.settimeout(0.5)
    stopped["alive"] = echo(peer) == 1


report(main)
