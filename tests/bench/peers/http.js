/* tests/bench/peers/http.js: the leanest receiver in Node: its own http server
 * and Stripe's library. Nothing is stored.
 * SPDX-License-Identifier: Apache-2.0 */
import http from 'node:http';
import Stripe from 'stripe';

const secret = process.env.STRIPE_WEBHOOK_SECRET;
const stripe = new Stripe('sk_test_bench');

function answer(req, res, body) {
  try {
    const signature = req.headers['stripe-signature'];
    stripe.webhooks.constructEvent(body, signature, secret);
    res.setHeader('Content-Type', 'application/json');
    res.end('{"received":true}');
  } catch {
    res.statusCode = 400;
    res.end();
  }
}

const server = http.createServer((req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => answer(req, res, Buffer.concat(parts)));
});

server.listen(0, '127.0.0.1', () => {
  console.log(server.address().port);
});
