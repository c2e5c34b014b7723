# SPDX-License-Identifier: Apache-2.0
"""Certificates made by openssl, and nginx that shows them."""

import collections
import pathlib
import shutil
import subprocess

from conftest import wait_until
from services import free_port

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Authority:
    """Signs certificates for names; knows nothing but its folder."""

    def __init__(self, folder, name="authority"):
        self.folder, self.serial = folder, 0
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "30", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def issue(self, name, names, days=30):
        """names as in subjectAltName; days < 0: it has expired. Returns (certificate, key)."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={name}", "-keyout", key, "-out", request)
        self.serial += 1
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-set_serial",
                self.serial, "-days", days, "-extfile", extensions, "-out", cert)
        return cert, key


class Nginx:
    """The real thing in the foreground. sites: (certificate, key, more lines) each on a port of
    its own, .ports in that order."""

    def __init__(self, folder, sites):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.ports = [free_port() for _ in sites]
        blocks = "".join(f"""
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        {more}
        location / {{ default_type text/plain; return 200 "hello"; }}
    }}""" for port, (cert, key, more) in zip(self.ports, sites))
        temps = "".join(f"    {kind}_temp_path {self.folder}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(f"""
daemon off;
master_process off;
pid {self.folder}/pid;
error_log {self.folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    log_format tls '$ssl_protocol $ssl_session_reused $ssl_server_name $ssl_alpn_protocol '
                   '$ssl_client_s_dn $connection';
    access_log {self.folder}/access.log tls;
    keepalive_timeout 60s;
{temps}{blocks}
}}
""")
        self.output = open(self.folder / "output", "ab")
        self.process = subprocess.Popen([NGINX, "-p", self.folder, "-c",
                                         self.folder / "nginx.conf"],
                                        stdout=self.output, stderr=self.output)
        wait_until(lambda: (self.folder / "pid").exists() or self.process.poll() is not None, 10,
                   "nginx is up")
        assert self.process.poll() is None, (self.folder / "output").read_text()

    def requests(self):
        """What each request was made over."""
        fields = "protocol reused server_name alpn client connection"
        row = collections.namedtuple("Row", fields)
        lines = (self.folder / "access.log").read_text().splitlines()
        return [row(*line.split(" ")) for line in lines]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.output.close()
