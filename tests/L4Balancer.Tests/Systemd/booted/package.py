"""The package is installed, upgraded in place, and upgraded to a version that refuses."""
from service import *


def install(name):
    return run("dpkg", "--force-confold", "--no-triggers", "--install", f"/packages/{name}.deb")


def main(seen):
    echo_backend()
    seen["installed"] = install("first")
    systemctl("daemon-reload")
    seen["start"] = systemctl("start", UNIT)
    seen["started"] = until(is_serving)
    peers = quiet(50)
    for name in ("second", "refusing"):
        before, kept = show("MainPID"), same()
        code, said = install(name)
        ready = until(is_serving)
        seen[name] = {"code": code, "said": said, "ready": ready, "changed": show("MainPID") != before, "same": same() == kept,
                      "alive": alive(peers), "serves": len(quiet(1)), "version": run("dpkg-query", "-W", "-f", "${Status} ${Version}", "l4balancer")[1],
                      "program": os.readlink(f"/proc/{show('MainPID')}/exe")}
        seen[name]["restarts"] = show("NRestarts")
    seen["removed"] = run("dpkg", "--no-triggers", "--remove", "l4balancer")
    seen["left"] = of_balancer()


report(main)
