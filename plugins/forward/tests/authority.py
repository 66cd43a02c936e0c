"""Certificates for the receivers, made by openssl."""

import pathlib
import ssl
import subprocess

import pegboard

V3_LEAF = "basicConstraints=critical,CA:FALSE\nsubjectAltName={}\n"


class Authority:
    """A CA in a folder of its own, and what it certifies."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.file = self.folder / f"{name}.pem"
        self.openssl("req", "-x509", *self.key(name), "-out", self.file,
                     "-subj", f"/CN={name}", "-days", "2")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, cwd=self.folder,
                       capture_output=True, timeout=pegboard.PATIENCE_S)

    def key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", self.folder / f"{name}.key"]

    def certify(self, name, alternative, days=2):
        """Paths of a certificate and its key."""
        paths = [self.folder / f"{self.name}-{name}.{end}"
                 for end in ("crt", "key")]
        self.openssl("req", *self.key(f"{self.name}-{name}"), "-out",
                     "request", "-subj", f"/CN={name}")
        (self.folder / "v3").write_text(V3_LEAF.format(alternative))
        self.openssl("x509", "-req", "-in", "request", "-out", paths[0],
                     "-CA", self.file, "-CAkey", f"{self.name}.key",
                     "-CAcreateserial", "-extfile", "v3", "-days", str(days))
        return paths

    def context(self, *args, **kwargs):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certify(*args, **kwargs))
        return context
