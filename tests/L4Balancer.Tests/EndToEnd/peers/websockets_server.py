"""Echo server of Debian's python3-websockets over TLS.

python3 websockets_server.py NAME CERTIFICATE KEY; prints "listening PORT"; ends with its stdin.
"""

import asyncio
import ssl
import sys

import websockets


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(name, certificate, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with websockets.serve(
        echo, "127.0.0.1", 0, ssl=tls, backlog=1024, max_size=None, compression=None,
        ping_timeout=60, extra_headers={"X-Backend": name},
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
