# SPDX-License-Identifier: Apache-2.0
"""Bodies streamed from disk: whole, in order, over TLS too, and at constant memory."""

import pathlib
import random
import re
import socket
import ssl
import threading
import zlib

import pytest

from load_lab import OK, check_sums, load, make_plan  # noqa: F401 (a fixture)
from tls_lab import Authority

GIB = 1 << 30


class Sink:
    """Takes bodies and keeps their checksums, or of large ones (tails) the last bytes alone."""

    def __init__(self, context=None, tails=False):
        self.context, self.tails, self.sums = context, tails, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                if self.context is not None:
                    connection = self.context.wrap_socket(connection, server_side=True)
            except OSError:
                return
            threading.Thread(target=self.take, args=[connection], daemon=True).start()

    def take(self, connection):
        buffer = bytearray(1 << 20)
        with connection:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(4096)
                    if not piece:
                        return
                    head += piece
                head, rest = head.split(b"\r\n\r\n", 1)
                left = int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(rest)
                checksum = zlib.crc32(rest)
                while left > 0:
                    n = connection.recv_into(buffer, min(left, len(buffer)))
                    if n == 0:
                        return
                    left -= n
                    checksum = (bytes(buffer[n - 4:n]) if self.tails
                                else zlib.crc32(memoryview(buffer)[:n], checksum))
                self.sums.append(checksum)
                connection.sendall(OK)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def upload(file):
    return [{"name": "up", "method": "PUT", "path": "/{{seq}}", "body": None, "bodyFile": str(file),
             "headers": [], "weight": 1}]


def test_a_gibibyte_at_constant_memory(load, tmp_path):
    file = tmp_path / "gibibyte"
    with open(file, "wb") as out:  # sparse, with a mark at its end
        out.truncate(GIB - 4)
        out.seek(GIB - 4)
        out.write(b"mark")
    sink = Sink(tails=True)
    try:
        one = load(make_plan([sink.port], rate=0.01, seconds=60, connections=1, timeout=50,
                             routes=upload(file)))
        while one.line("interval")["counts"]["ok"] == 0:
            pass
        status = pathlib.Path(f"/proc/{one.process.pid}/status").read_text()
        one.command(type="stop")
        code, _ = one.wait()
    finally:
        sink.close()
    assert code == 0
    result = check_sums(one)
    assert result["total"]["ok"] == 1
    assert GIB < result["total"]["bytesOut"] < GIB + 1000
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 200_000, "the sanitizers' own included"
    assert sink.sums == [b"mark"]


@pytest.mark.parametrize("over", ["tcp", "tls"])
def test_what_arrives_is_the_file(load, tmp_path, over):
    file = tmp_path / "file"
    data = random.Random(3).randbytes(3_000_001)
    file.write_bytes(data)
    context, more = None, {}
    if over == "tls":
        authority = Authority(tmp_path)
        cert, key = authority.issue("good", "IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        more["tls"] = {"serverName": "127.0.0.1", "caFile": str(authority.cert), "certFile": None,
                       "keyFile": None, "insecure": False}
    sink = Sink(context)
    try:
        result = check_sums(load.finish(make_plan([sink.port], rate=20, seconds=0.5, connections=3,
                                                  timeout=20, routes=upload(file), **more)))
    finally:
        sink.close()
    assert result["total"]["ok"] == 10, result["total"]
    assert sink.sums == [zlib.crc32(data)] * 10


def test_a_file_that_is_not_there(load, tmp_path):
    one = load(make_plan([1], routes=upload(tmp_path / "none")))
    code, lines = one.wait()
    assert code == 2 and "cannot read the body's file" in lines[-1]["message"]
