/* tests/peers/test_stripe.mjs: what we sign, npm `stripe` must accept; what it
 * signs, the daemon must accept and keep byte for byte.
 * SPDX-License-Identifier: Apache-2.0 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync }
    from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Daemon, SECRET, here, peers, pegboard, shared } from "./daemon.mjs";

const Stripe = peers("stripe");
const stripe = new Stripe("sk_test_never_sent");
const { webhooks } = stripe;

const AT_ONCE = 4; // commands that run at the same time

/* ---- What pegboard signs ------------------------------------------------ */

const { types, templates } = listed();

const secretFile = join(tmpdir(), `pegboard-peers-${process.pid}.secret`);
before(() => writeFileSync(secretFile, SECRET, { mode: 0o600 }));
after(() => rmSync(secretFile, { force: true }));

/** `pegboard trigger --print`: the body's bytes, and the header from stderr. */
function trigger(...words) {
    return new Promise((resolve, reject) => {
        execFile(pegboard,
            ["trigger", "--print", "--secret-file", secretFile, ...words],
            { encoding: "buffer" }, (error, body, stderr) => {
                const header = /^Stripe-Signature: (t=\d{10},v1=[\da-f]{64})$/m
                    .exec(stderr);
                if (error || !header) {
                    reject(error ?? new Error(`no header: ${stderr}`));
                } else {
                    resolve({ body, header: header[1] });
                }
            });
    });
}

function snapshot({ body, header }) {
    return webhooks.constructEvent(body, header, SECRET);
}

function thin({ body, header }) {
    return stripe.parseEventNotification(body, header, SECRET);
}

/** Types that `trigger` knows; of `templates` those with one of their own. */
function listed() {
    const lines = execFileSync(pegboard, ["trigger", "--list"],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
        .trimEnd().split("\n");
    return {
        types: lines.map((line) => line.slice(2)),
        templates: lines.filter((line) => line.startsWith("* "))
            .map((line) => line.slice(2)),
    };
}

async function forEach(items, work) {
    const left = items[Symbol.iterator]();
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (const item of left) {
            await work(item);
        }
    }));
}

const isThin = (type) => /^v[12]\./.test(type);

function checkSnapshot(event, type) {
    assert.equal(event.object, "event", type);
    assert.equal(event.type, type);
    assert.equal(event.api_version, stripe.getApiField("version"), type);
    assert.ok(Number.isInteger(event.created), type);
    assert.equal(typeof event.data.object.object, "string", type);
    assert.equal(event.livemode, false, type);
}

function checkThin(event, type) {
    assert.equal(event.object, "v2.core.event", type);
    assert.equal(event.type, type);
    assert.ok(!Number.isNaN(Date.parse(event.created)), type);
    assert.equal(event.data, undefined, type);
    assert.equal(event.livemode, false, type);
}

test("every type that trigger makes is accepted by stripe", async () => {
    assert.ok(types.length >= 601, `only ${types.length} types`);
    await forEach(types, async (type) => {
        const message = await trigger(type);
        if (isThin(type)) {
            checkThin(thin(message), type);
            assert.throws(() => snapshot(message), /thin event/);
        } else {
            checkSnapshot(snapshot(message), type);
        }
    });
});

test("events of a connected account are accepted by stripe", async () => {
    assert.ok(templates.length >= 100, `only ${templates.length} templates`);
    await forEach(templates, async (type) => {
        const message = await trigger(type, "--account", "acct_peers_9");
        if (isThin(type)) {
            assert.equal(thin(message).context.toString(), "acct_peers_9");
        } else {
            assert.equal(snapshot(message).account, "acct_peers_9", type);
        }
    });
});

test("the thin form of a type is accepted by stripe", async () => {
    const both = templates.filter((type) => types.includes(`v1.${type}`));
    assert.ok(both.length >= 50, `only ${both.length} thin forms`);
    await forEach(both, async (type) => {
        checkThin(thin(await trigger(type, "--thin")), `v1.${type}`);
    });
});

test("overridden members are signed as they are sent", async () => {
    const event = snapshot(await trigger("payment_intent.succeeded", "--live",
        "--override", "amount=123456789012345",
        "--override", "metadata.order=Łódź 🦔 \"7\"",
        "--override", "description=tab\tand\\backslash"));
    const object = event.data.object;
    assert.equal(event.livemode, true);
    assert.equal(object.amount, 123456789012345);
    assert.equal(object.metadata.order, "Łódź 🦔 \"7\"");
    assert.equal(object.description, "tab\tand\\backslash");
});

test("a file of one's own is signed as it is sent", async () => {
    for (const name of readdirSync(join(here, "fixtures"))) {
        const message = await trigger("--data", join(here, "fixtures", name));
        const sent = JSON.parse(message.body);
        const event = sent.object === "event" ? snapshot(message)
            : thin(message);
        assert.equal(event.type, sent.type, name);
    }
});

test("what is signed wrongly on purpose is refused by stripe", async () => {
    const wrong = await trigger("charge.failed", "--bad-signature");
    assert.throws(() => snapshot(wrong), /No signatures found matching/);
    const old = await trigger("charge.failed", "--age", "400s");
    assert.throws(() => snapshot(old), /outside the tolerance/);
    const touched = await trigger("charge.failed");
    touched.body[touched.body.length - 3] ^= 1;
    assert.throws(() => snapshot(touched), /No signatures found matching/);
});

/* ---- What stripe signs -------------------------------------------------- */

function sign(body, options = {}) {
    return webhooks.generateTestHeaderString(
        { payload: body.toString(), secret: SECRET, ...options });
}

/** Post every file of a folder; each must come out of the inbox as it was. */
async function passesThrough(t, bodies) {
    const daemon = await Daemon.start(t);
    for (const [name, body] of bodies) {
        const answer = await daemon.post(body, sign(body));
        assert.equal(answer.status, 200, `${name}: ${answer.text}`);
        assert.equal(answer.text, '{"received":true}', name);
    }
    const rows = daemon.inbox();
    assert.equal(rows.length, bodies.length);
    rows.forEach((row, i) => {
        const [name, body] = bodies[i];
        const event = JSON.parse(body);
        assert.equal(Buffer.compare(row.body, body), 0, `bytes of ${name}`);
        assert.deepEqual(
            { id: row.id, type: row.type, livemode: row.livemode,
                thin: row.thin, account: row.account },
            { id: event.id, type: event.type, livemode: event.livemode,
                thin: event.object === "v2.core.event",
                account: (event.object === "event" ? event.account
                    : event.context) ?? "" }, name);
    });
}

function bodiesOf(folder) {
    return readdirSync(folder).filter((name) => name.endsWith(".json")).sort()
        .map((name) => [name, readFileSync(join(folder, name))]);
}

/** The same event in other bytes: what a reader of text would "mend". */
function variants([name, body]) {
    const text = body.toString();
    const id = JSON.parse(text).id;
    const renamed = (suffix) => text.replaceAll(id, id + suffix);
    return [
        [`${name} with CR LF`,
            Buffer.from(renamed("_crlf").replace(/\n/g, "\r\n"))],
        [`${name} in blanks`, Buffer.from(`\n\t ${renamed("_blanks")} \r\n\n`)],
    ];
}

test("our fixtures, signed by stripe, are kept byte for byte", async (t) => {
    const bodies = bodiesOf(join(here, "fixtures"));
    await passesThrough(t, [...bodies, ...bodies.flatMap(variants)]);
});

const events = join(shared, "events");
test("shared events, signed by stripe, are kept byte for byte", {
    skip: existsSync(events) ? false : `no folder ${events}`,
}, (t) => passesThrough(t, bodiesOf(events)));

test("while a secret is rolled, either signature is enough", async (t) => {
    const daemon = await Daemon.start(t);
    const [, body] = bodiesOf(join(here, "fixtures"))[0];
    const timestamp = Math.floor(Date.now() / 1000);
    const ours = sign(body, { timestamp });
    const other = sign(body, { timestamp, secret: "whsec_the_other_one" });
    const both = `${other},${ours.replace(/^t=\d+,/, "")}`;
    assert.equal((await daemon.post(body, other)).status, 400);
    assert.equal((await daemon.post(body, both)).status, 200);
});

test("what stripe would refuse is refused by the daemon", async (t) => {
    const daemon = await Daemon.start(t);
    const [, body] = bodiesOf(join(here, "fixtures"))[0];
    const now = Math.floor(Date.now() / 1000);
    const refused = {
        "another secret": sign(body, { secret: "whsec_the_other_one" }),
        "too old": sign(body, { timestamp: now - 400 }),
        "only v0": sign(body, { scheme: "v0" }),
        "another body": sign(Buffer.concat([body, Buffer.from(" ")])),
    };
    for (const [name, header] of Object.entries(refused)) {
        assert.throws(() => snapshot({ body, header }), name);
        assert.equal((await daemon.post(body, header)).status, 400, name);
    }
    assert.deepEqual(daemon.inbox(), []);
});
