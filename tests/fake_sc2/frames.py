"""WebSocket frames (RFC 6455), as far as the game speaks them.

pysc2 sends messages as text frames that are not text; libraries refuse those, so this is by hand.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def handshake(client: socket.socket) -> bool:
    """Answer the request to upgrade; False if it is for another place than /sc2api."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = client.recv(4096)
        if not part:
            return False
        head += part
    request, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if request.split()[1] != "/sc2api":
        client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return False
    digest = hashlib.sha1((fields["sec-websocket-key"] + MAGIC).encode()).digest()
    answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    ]
    client.sendall(("\r\n".join(answer) + "\r\n\r\n").encode())
    return True


def receive(client: socket.socket) -> bytes | None:
    """The next message; None when the client has left."""
    message = b""
    while True:
        try:
            final, opcode, payload = _frame(client)
        except (EOFError, ConnectionError):
            return None
        if opcode == CLOSE:
            return None
        if opcode == PING:
            send(client, payload, PONG)
        elif opcode != PONG:
            message += payload
            if final:
                return message


def _frame(client: socket.socket) -> tuple[bool, int, bytes]:
    first, second = _exactly(client, 2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", _exactly(client, 2))
    elif length == 127:
        (length,) = struct.unpack(">Q", _exactly(client, 8))
    mask = _exactly(client, 4) if second & 0x80 else bytes(4)
    repeated = mask * (length // 4 + 1)
    payload = bytes(a ^ b for a, b in zip(_exactly(client, length), repeated, strict=False))
    return bool(first & 0x80), first & 0x0F, payload


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def send(client: socket.socket, payload: bytes, opcode: int = BINARY) -> None:
    """One frame; binary, or pysc2 would read text."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 2**16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    client.sendall(head + payload)
