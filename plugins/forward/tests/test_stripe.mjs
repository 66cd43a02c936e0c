/* plugins/forward/tests/test_stripe.mjs: npm `stripe` must accept what forward signs,
 * and the README does what it says.
 * SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync }
    from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { end, here as peersFolder, peers, pegboard, started }
    from "../../../tests/peers/daemon.mjs";

const Stripe = peers("stripe");
const stripe = new Stripe("sk_test_never_sent");
const SECRET = "whsec_of_the_receiver_0123456789";
const source = join(dirname(fileURLToPath(import.meta.url)), "..");
const sample = join(source, "event.json");
const runner = join(dirname(pegboard), "pegboard-runner");
const plugin = join(dirname(pegboard), "../plugins/more/forward.so");

/** An endpoint as Stripe's guide has it; keeps what it could not verify. */
async function receiver(t) {
    const events = [], refused = [];
    const server = createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) {
            chunks.push(chunk);
        }
        const body = Buffer.concat(chunks);
        const signature = request.headers["stripe-signature"];
        const parse = JSON.parse(body).object === "event"
            ? stripe.webhooks.constructEvent.bind(stripe.webhooks)
            : stripe.parseEventNotification.bind(stripe);
        try {
            events.push(parse(body, signature, SECRET));
        } catch (error) {
            refused.push(error.message);
        }
        response.writeHead(refused.length ? 400 : 200).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
        server.close();
        server.closeAllConnections();
    });
    return { events, refused, url: `http://127.0.0.1:${server.address().port}` };
}

function tried(url, file, secret) {
    return new Promise((resolve) => {
        execFile(runner, ["try", plugin, file, "--option", `url=${url}`,
            "--option", "signature=own", "--option", `secret=${secret}`],
        { encoding: "utf8" }, (error, stdout) => resolve(stdout.trim()));
    });
}

test("what forward signs is accepted by stripe", async (t) => {
    const { events, refused, url } = await receiver(t);
    const fixtures = join(peersFolder, "fixtures");
    const files = [sample,
        ...readdirSync(fixtures).map((name) => join(fixtures, name))];
    for (const file of files) {
        assert.equal(await tried(url, file, SECRET), "done", file);
        assert.equal(events.at(-1).id, JSON.parse(readFileSync(file)).id);
    }
    assert.deepEqual([events.length, refused], [files.length, []]);
});

test("with another secret it is refused by stripe", async (t) => {
    const { events, refused, url } = await receiver(t);
    assert.equal(await tried(url, sample, "whsec_another"),
        "retry: HTTP 400");
    assert.equal(events.length, 0);
    assert.match(refused[0], /No signatures found matching/);
});

test("while the secret is changed, either of the two will do", async (t) => {
    for (const secrets of [`whsec_new, ${SECRET}`, `${SECRET},whsec_old`]) {
        const { events, refused, url } = await receiver(t);
        assert.equal(await tried(url, sample, secrets), "done");
        assert.deepEqual([events.length, refused], [1, []]);
    }
});

/** The README's block in this language that has this text. */
function block(language, text) {
    const blocks = readFileSync(join(source, "README.md"), "utf8")
        .matchAll(new RegExp("```" + language + "\n(.*?)```", "gs"));
    return [...blocks].map((found) => found[1])
        .find((code) => code.includes(text));
}

test("the page can be copied", async (t) => {
    // A receiver on a free port, where Node finds `stripe` as after npm install.
    const folder = mkdtempSync(
        join(process.env.PEGBOARD_PEERS ?? peersFolder, "forward-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const listen = '.listen(8000, "127.0.0.1")';
    const code = block("js", listen);
    writeFileSync(join(folder, "billing.mjs"), code.replace(listen,
        '.listen(0, "127.0.0.1", function () { console.log(' +
        "this.address().port); })"));
    const child = spawn(process.execPath, ["billing.mjs"], { cwd: folder,
        env: { ...process.env, BILLING_SECRET: "whsec_billing" },
        stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => end(child));
    await started(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const said = async () => (await lines.next()).value;
    const port = await said();

    const commands = block("sh", "pegboard dev")
        .replaceAll("more/forward.so", plugin)
        .replaceAll("127.0.0.1:8000", `127.0.0.1:${port}`)
        .replace("pegboard dev", "pegboard dev --listen 127.0.0.1:0 -q");
    const stdout = await new Promise((resolve, reject) => {
        execFile("sh", ["-ec", commands], { cwd: folder, env: {
            ...process.env, PATH: `${dirname(pegboard)}:${process.env.PATH}` } },
        (error, stdout) => error ? reject(error) : resolve(stdout));
    });
    assert.match(stdout, /^done\ndone\n/);
    for (const line of ["new", "again", "new"]) {
        assert.equal(await said(), `${line} invoice.paid`);
    }
});
