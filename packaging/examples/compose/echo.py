"""A WebSocket echo server (RFC 6455) of the standard library alone: echo.py PORT. Not for more than a demonstration."""
import asyncio
import base64
import hashlib
import struct
import sys

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE, PING, PONG = 8, 9, 10


async def frame(reader):
    """The opcode with the FIN bit, and the unmasked payload; at most 64 KiB."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        raise ValueError("too large")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    return first, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def framed(first, payload):
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
    return bytes([first]) + size + payload


async def serve(reader, writer):
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        key = fields.get(b"sec-websocket-key")
        if key is None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\nConnection: close\r\n\r\nthis is a WebSocket server")
            return
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        while True:
            first, payload = await frame(reader)
            opcode = first & 0xF
            writer.write(framed(0x80 | PONG if opcode == PING else first, payload) if opcode != PONG else b"")
            await writer.drain()
            if opcode == CLOSE:
                return
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "0.0.0.0", port)
    print(f"listening on {port}", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
