"""What a nats-server with accounts needs: keys, and the claims they sign."""

import base64
import json
import pathlib
import subprocess

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3
UNLIMITED = {name: -1 for name in (
    "subs", "data", "payload", "imports", "exports", "conn", "leaf",
    "mem_storage", "disk_storage", "streams", "consumer")}


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xffff
    return crc


def _encode(data):
    """As people see a key: letters of base 32 with a check sum."""
    data += _crc16(data).to_bytes(2, "little")
    return base64.b32encode(data).decode().rstrip("=")


def _plain(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, folder, name, kind):
        self.folder, self.name = pathlib.Path(folder), name
        self.file = self.folder / f"{name}.key"
        self._openssl("genpkey", "-algorithm", "ed25519", "-out", self.file)
        raw = self._openssl("pkey", "-in", self.file, "-outform", "DER")[-32:]
        public = self._openssl("pkey", "-in", self.file, "-pubout",
                               "-outform", "DER")[-32:]
        self.public = _encode(bytes([kind]) + public)
        self.seed = _encode(bytes([SEED | kind >> 5, (kind & 31) << 3]) + raw)

    def _openssl(self, *args):
        return subprocess.run(["openssl", *args], check=True,
                              capture_output=True).stdout

    def claim(self, subject, kind, **more):
        """A token of this key about another (or itself)."""
        claims = {"jti": subject.name, "iat": 1700000000, "iss": self.public,
                  "name": subject.name, "sub": subject.public,
                  "nats": {"type": kind, "version": 2, **more}}
        text = ".".join(_plain(json.dumps(part).encode()) for part in (
            {"typ": "JWT", "alg": "ed25519-nkey"}, claims))
        message = self.folder / "claim"
        message.write_text(text)
        return text + "." + _plain(self._openssl(
            "pkeyutl", "-sign", "-rawin", "-inkey", self.file, "-in", message))


def accounts(folder):
    """Configuration of a server with one user, and its .creds file."""
    operator = Key(folder, "operator", OPERATOR)
    system, account = (Key(folder, name, ACCOUNT) for name in ("sys", "acc"))
    user = Key(folder, "user", USER)
    preload = [f"{key.public}: {operator.claim(key, 'account', limits=limits)}"
               for key, limits in ((account, {**UNLIMITED, "wildcards": True}),
                                   (system, {}))]
    creds = pathlib.Path(folder) / "user.creds"
    creds.write_text(
        "-----BEGIN NATS USER JWT-----\n"
        + account.claim(user, "user", subs=-1, data=-1, payload=-1) +
        "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n"
        f"{user.seed}\n------END USER NKEY SEED------\n")
    config = (f"operator: {operator.claim(operator, 'operator')}\n"
              f"system_account: {system.public}\nresolver: MEMORY\n"
              "resolver_preload: {\n" + "\n".join(preload) + "\n}\n")
    return config, creds
