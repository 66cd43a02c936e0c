/* tests/peers/test_cli.mjs: the real `stripe listen`, with a stand-in for
 * Stripe behind it, forwards events to the daemon.
 * SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Daemon, end, here, peers, pegboard, started, waitFor }
    from "./daemon.mjs";
import { StripeApi } from "./stripe_api.mjs";

/* The package `@stripe/cli` only chooses one of these and starts it. */
const PROGRAM = `@stripe/cli-${process.platform}-${process.arch}/bin/stripe`;

const TYPES = [
    "payment_intent.succeeded", "payment_intent.payment_failed",
    "charge.dispute.created", "charge.refunded", "checkout.session.completed",
    "customer.subscription.updated", "invoice.paid", "payout.failed",
    "payment_method.attached", "balance.available",
];

function program() {
    try {
        return peers.resolve(PROGRAM);
    } catch {
        return null;
    }
}

/** `stripe listen`, forwarding from `api` to the daemon. */
class Cli {
    out = "";
    err = "";

    home = mkdtempSync(join(tmpdir(), "pegboard-cli-"));

    /** Start one, which ends with the test `t`. */
    static async start(t, api, daemon) {
        const cli = new Cli();
        t.after(() => cli.stop());
        cli.url = `http://localhost:${daemon.port}/webhook`;
        cli.child = spawn(program(), [
            "listen", "--api-base", `http://127.0.0.1:${api.port}`, "--no-wss",
            "--skip-update", "--all-snapshot",
            "--forward-to", `localhost:${daemon.port}/webhook`,
        ], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { PATH: process.env.PATH, HOME: cli.home,
                XDG_CONFIG_HOME: cli.home, STRIPE_DEVICE_NAME: "peers",
                STRIPE_API_KEY: "sk_test_never_leaves_this_machine",
                STRIPE_CLI_TELEMETRY_OPTOUT: "1", DO_NOT_TRACK: "1" },
        });
        cli.child.stdout.on("data", (text) => { cli.out += text; });
        cli.child.stderr.on("data", (text) => { cli.err += text; });
        await started(cli.child);
        await waitFor(() => /Ready!/.test(cli.err) && api.socket,
            () => `the CLI to be ready: ${cli.err}`);
        return cli;
    }

    async stop() {
        await end(this.child);
        rmSync(this.home, { recursive: true, force: true });
    }

    /** Wait for the line that tells what the daemon answered for `id`. */
    answer(status, id) {
        const line = `<--  [${status}] POST ${this.url} [${id}]`;
        return waitFor(() => this.out.includes(line),
            () => `"${line}" in:\n${this.out}${this.err}`);
    }
}

function sample(type) {
    return execFileSync(pegboard, ["trigger", type, "--print"],
        { stdio: ["ignore", "pipe", "ignore"] });
}

async function together(t) {
    const api = await new StripeApi().start();
    t.after(() => api.stop());
    const daemon = await Daemon.start(t, api.secret);
    const cli = await Cli.start(t, api, daemon);
    return { api, daemon, cli };
}

const skip = program() ? false : `no ${PROGRAM}`;

test("stripe listen forwards events, and they are kept byte for byte",
    { skip }, async (t) => {
        const { api, daemon, cli } = await together(t);
        assert.ok(cli.err.includes(`signing secret is ${api.secret}`), cli.err);
        const bodies = TYPES.map(sample);
        bodies.push(readFileSync(join(here, "fixtures/unicode.json")));
        const byId = new Map(bodies.map((body) => [JSON.parse(body).id, body]));
        bodies.forEach((body) => api.push(body));
        for (const [id, body] of byId) {
            await cli.answer(200, id);
            const line = `--> ${JSON.parse(body).type} [${id}]`;
            assert.ok(cli.out.includes(line), `${line} in ${cli.out}`);
        }

        await waitFor(() => api.responses.length >= byId.size,
            () => `the CLI to tell Stripe; it said ${api.responses.length}`);
        for (const { status, body } of api.responses) {
            assert.equal(status, 200);
            assert.equal(body, '{"received":true}');
        }
        const rows = daemon.inbox();
        assert.equal(rows.length, byId.size);
        for (const row of rows) {
            assert.equal(Buffer.compare(row.body, byId.get(row.id)), 0, row.id);
        }
    });

test("after the session's secret changes, stripe listen shows 400", { skip },
    async (t) => {
        const { api, daemon, cli } = await together(t);
        const before = sample("charge.failed");
        const after = sample("refund.failed");
        api.push(before);
        await cli.answer(200, JSON.parse(before).id);
        api.secret = "whsec_of_the_next_session_0123456789";
        api.push(after);
        await cli.answer(400, JSON.parse(after).id);
        assert.match(daemon.log(), /signature refused.*endpoint=main/);
        assert.deepEqual(daemon.inbox().map((row) => row.id),
            [JSON.parse(before).id]);
    });

test("an event that stripe listen repeats is kept once", { skip },
    async (t) => {
        const { api, daemon, cli } = await together(t);
        const body = sample("invoice.payment_failed");
        api.push(body);
        await cli.answer(200, JSON.parse(body).id);
        api.push(body);
        await waitFor(() => api.responses.length === 2,
            () => `a second answer; ${cli.out}`);
        assert.equal(api.responses[1].body,
            '{"received":true,"duplicate":true}');
        assert.equal(daemon.inbox().length, 1);
    });
