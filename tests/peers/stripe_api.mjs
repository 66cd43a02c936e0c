/* tests/peers/stripe_api.mjs: as much of Stripe's API as `stripe listen` needs:
 * a session, and a WebSocket on which signed events are pushed.
 * SPDX-License-Identifier: Apache-2.0 */
import { createHash, createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/* RFC 6455 */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CONTINUATION = 0, TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;
const FINAL = 0x80;

/** One frame, from the server: not masked. */
function frame(opcode, payload) {
    const data = Buffer.from(payload);
    let head;
    if (data.length < 126) {
        head = Buffer.from([FINAL | opcode, data.length]);
    } else if (data.length < 65536) {
        head = Buffer.from([FINAL | opcode, 126, 0, 0]);
        head.writeUInt16BE(data.length, 2);
    } else {
        head = Buffer.alloc(10);
        head[0] = FINAL | opcode;
        head[1] = 127;
        head.writeBigUInt64BE(BigInt(data.length), 2);
    }
    return Buffer.concat([head, data]);
}

/** The client's first frame in `bytes`, unmasked; null: not whole yet. */
function parseFrame(bytes) {
    if (bytes.length < 2) {
        return null;
    }
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126 && bytes.length >= 4) {
        length = bytes.readUInt16BE(2);
        at = 4;
    } else if (length === 127 && bytes.length >= 10) {
        length = Number(bytes.readBigUInt64BE(2));
        at = 10;
    } else if (length > 125) {
        return null;
    }
    const mask = bytes.subarray(at, at + 4); // a client's frames all have one
    at += 4;
    if (bytes.length < at + length) {
        return null;
    }
    const payload = Buffer.from(bytes.subarray(at, at + length))
        .map((byte, i) => byte ^ mask[i % 4]);
    return { final: (bytes[0] & FINAL) !== 0, opcode: bytes[0] & 0x0f, payload,
        end: at + length };
}

export class StripeApi {
    secret = "whsec_of_a_stand_in_session_0123456789";
    responses = []; // what the CLI says that our receiver answered
    sessions = [];  // forms it opened sessions with

    async start() {
        this.server = createServer((request, answer) =>
            this.#onRequest(request, answer));
        this.server.on("upgrade", (request, socket) =>
            this.#onUpgrade(request, socket));
        this.server.listen(0, "127.0.0.1");
        await once(this.server, "listening");
        this.port = this.server.address().port;
        return this;
    }

    async stop() {
        this.socket?.destroy();
        this.server.closeAllConnections();
        this.server.close();
        await once(this.server, "close");
    }

    async #onRequest(request, answer) {
        const form = Buffer.concat(await request.toArray()).toString();
        if (request.url !== "/v1/stripecli/sessions") {
            answer.writeHead(404).end("{}");
            return;
        }
        this.sessions.push(new URLSearchParams(form));
        answer.writeHead(200, { "Content-Type": "application/json" });
        answer.end(JSON.stringify({
            websocket_id: "cliws_peers", reconnect_delay: 600,
            websocket_url: `ws://127.0.0.1:${this.port}/subscribe`,
            websocket_authorized_feature: "webhooks",
            default_version: "2026-10-28.endive",
            latest_version: "2026-10-28.endive",
            device_token: "device_peers", secret: this.secret,
        }));
    }

    #onUpgrade(request, socket) {
        const accept = createHash("sha1")
            .update(request.headers["sec-websocket-key"] + WEBSOCKET_GUID)
            .digest("base64");
        socket.write("HTTP/1.1 101 Switching Protocols\r\n" +
            "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
        this.socket = socket;
        let bytes = Buffer.alloc(0);
        let message = [];
        socket.on("error", () => {}); // the client was ended
        socket.on("data", (data) => {
            bytes = Buffer.concat([bytes, data]);
            for (let got; (got = parseFrame(bytes)) !== null;) {
                bytes = bytes.subarray(got.end);
                message = this.#onFrame(got, message);
            }
        });
    }

    #onFrame({ final, opcode, payload }, message) {
        if (opcode === PING) {
            this.socket.write(frame(PONG, payload));
        } else if (opcode === CLOSE) {
            this.socket.end(frame(CLOSE, payload));
        } else if (opcode === TEXT || opcode === CONTINUATION) {
            message.push(payload);
            if (final) {
                this.#onMessage(JSON.parse(Buffer.concat(message)));
                return [];
            }
        }
        return message;
    }

    #onMessage(message) {
        if (message.type === "webhook_response") {
            this.responses.push(message);
        }
    }

    /** Push one event as Stripe does: signed now, in its own bytes. */
    push(body) {
        const now = Math.floor(Date.now() / 1000);
        const mac = createHmac("sha256", this.secret)
            .update(`${now}.`).update(body).digest("hex");
        this.socket.write(frame(TEXT, JSON.stringify({
            type: "webhook_event",
            endpoint: { api_version: null },
            event_payload: body.toString(),
            http_headers: {
                "Accept": "*/*; q=0.5, application/xml",
                "Cache-Control": "no-cache",
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": `t=${now},v1=${mac}`,
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            webhook_conversation_id: randomUUID(),
            webhook_id: "we_peers",
        })));
    }
}
