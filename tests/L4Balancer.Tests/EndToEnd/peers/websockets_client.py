"""Client of Debian's python3-websockets.

python3 websockets_client.py PORT CA CONNECTIONS LARGEST; prints what it saw as one line of JSON, as ws-client.js does.
Anything unexpected ends it with a traceback and code 1.
"""

import asyncio
import collections
import hashlib
import json
import os
import ssl
import sys

import websockets


async def main(port, ca, connections, largest):
    tls = ssl.create_default_context(cafile=ca)
    seen = collections.Counter()
    echoed = 0
    pongs = 0

    async def connect():
        socket = await websockets.connect(
            f"wss://localhost:{port}/", ssl=tls, max_size=None, compression=None, open_timeout=60, ping_timeout=60)
        certificate = socket.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        fingerprint = hashlib.sha256(certificate).hexdigest().upper()
        seen[f"{socket.response_headers['X-Backend']} {fingerprint}"] += 1
        return socket

    async def echo(socket, size):
        nonlocal echoed
        sent = os.urandom(size)
        await socket.send(sent)
        assert await socket.recv() == sent, f"{size} bytes came back changed"
        echoed += size

    async def close(socket):
        await socket.close(1000, "done")
        assert socket.close_code == 1000, socket.close_code

    first = await connect()
    for size in (0, 1, 125, 126, 65535, 65536, largest):
        await echo(first, size)
    await first.send("grüße 🙂")
    assert await first.recv() == "grüße 🙂"
    await asyncio.wait_for(await first.ping(b"are you there"), 60)
    pongs += 1
    await close(first)

    sockets = await asyncio.gather(*(connect() for _ in range(connections)))
    await asyncio.gather(*(echo(socket, 1000) for socket in sockets))
    await asyncio.gather(*(close(socket) for socket in sockets))
    print(json.dumps({"seen": seen, "bytes": echoed, "pongs": pongs}))


asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
