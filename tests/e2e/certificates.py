# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by openssl(1) as an operator would make them."""

import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True)


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", *EC, "-keyout", self.key, "-out", self.pem, "-subj", f"/CN={name}",
                "-days", 2, "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, usage, alt=None, days=2):
        """A certificate and its key, as paths; days below 0: one that is over."""
        pem, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage={usage}\n"
                              + (f"subjectAltName={alt}\n" if alt else ""))
        openssl("req", *EC, "-keyout", key, "-out", request, "-subj", f"/O=squall/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-days", days,
                "-extfile", extensions, "-out", pem)
        return pem, key
