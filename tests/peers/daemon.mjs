/* tests/peers/daemon.mjs: a `pegboard serve` under test, with a folder of its
 * own, and a look into its inbox.
 * SPDX-License-Identifier: Apache-2.0 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync }
    from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const here = dirname(fileURLToPath(import.meta.url));
export const pegboard = join(
    process.env.PEGBOARD_BUILD ?? join(here, "../../build"), "bin/pegboard");
export const shared =
    process.env.PEGBOARD_SHARED ?? join(here, "../../../shared");
export const SECRET = "whsec_test_of_the_peers_0123456789";

/* Node's own lookup begins at this file; the peers are in the build tree. */
export const peers = createRequire(
    join(process.env.PEGBOARD_PEERS ?? here, "package.json"));

const PATIENCE_MS = 20000; // for conditions that a sound program meets at once

/** Wait until condition() is true; return what it returned. */
export async function waitFor(condition, what) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
        const result = condition();
        if (result) {
            return result;
        }
        if (Date.now() > deadline) {
            throw new Error(`waited ${PATIENCE_MS} ms for: ${what()}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

/** Wait until a process runs. */
export async function started(child) {
    await once(child, "spawn"); // or throws what "error" tells
}

/** End a process that we started, and wait until it is gone. */
export async function end(child) {
    if (child?.pid && child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
    }
}

/* Node 18 and 20 have no SQLite of their own; Python has. */
const READ_INBOX = `
import base64, json, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=10)
print(json.dumps([
    dict(id=i, type=t, account=a, livemode=bool(l), thin=bool(n),
         body=base64.b64encode(b).decode())
    for i, t, a, l, n, b in db.execute(
        "SELECT event_id, type, account, livemode, thin, data"
        " FROM event JOIN body USING(seq) ORDER BY seq")]))`;

export class Daemon {
    folder = mkdtempSync(join(tmpdir(), "pegboard-peers-"));

    /** Start one, which ends with the test `t`. */
    static async start(t, secret = SECRET) {
        const daemon = new Daemon();
        t.after(() => daemon.stop());
        const ini = join(daemon.folder, "pegboard.ini");
        writeFileSync(join(daemon.folder, "secret"), secret, { mode: 0o600 });
        writeFileSync(ini, "[server]\nlisten = 127.0.0.1:0\n" +
            "state_dir = state\n[log]\nlevel = debug\nformat = logfmt\n" +
            "[plugins]\nautoload = no\n" +
            "[endpoint main]\npath = /webhook\nsecrets = file:secret\n");
        const log = openSync(join(daemon.folder, "log"), "a");
        daemon.child = spawn(pegboard, ["serve", "-c", ini],
            { stdio: ["ignore", log, log] });
        closeSync(log);
        await started(daemon.child);
        const found = await waitFor(() => {
            if (daemon.child.exitCode !== null) {
                throw new Error(daemon.log());
            }
            return /msg="serving" url=http:\/\/[\d.]+:(\d+)/.exec(daemon.log());
        }, () => `the daemon to serve:\n${daemon.log()}`);
        daemon.port = Number(found[1]);
        return daemon;
    }

    async stop() {
        await end(this.child);
        rmSync(this.folder, { recursive: true, force: true });
    }

    log() {
        return readFileSync(join(this.folder, "log"), "utf8");
    }

    /** Post `body` with a Stripe-Signature; return status and text. */
    post(body, signature) {
        return new Promise((resolve, reject) => {
            const headers = { "Content-Type": "application/json; charset=utf-8",
                "Content-Length": Buffer.byteLength(body),
                "Stripe-Signature": signature };
            const post = request({ host: "127.0.0.1", port: this.port,
                path: "/webhook", method: "POST", headers, agent: false,
                timeout: PATIENCE_MS,
            }, async (answer) => {
                const chunks = await answer.toArray();
                resolve({ status: answer.statusCode,
                    text: Buffer.concat(chunks).toString() });
            });
            post.once("error", reject);
            post.once("timeout", () => post.destroy(new Error("no answer")));
            post.end(body);
        });
    }

    /** All events, in order of arrival, with their bytes as a Buffer. */
    inbox() {
        const text = execFileSync("python3",
            ["-c", READ_INBOX, join(this.folder, "state/inbox.db")],
            { maxBuffer: 1 << 28 });
        return JSON.parse(text).map((row) => (
            { ...row, body: Buffer.from(row.body, "base64") }));
    }
}
