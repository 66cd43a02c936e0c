/* tests/bench/peers/express.js: what Stripe's quickstart for Express comes to:
 * the raw body is verified, the type is looked at, 200. Nothing is stored.
 * SPDX-License-Identifier: Apache-2.0 */
import express from 'express';
import Stripe from 'stripe';

const secret = process.env.STRIPE_WEBHOOK_SECRET;
const stripe = new Stripe('sk_test_bench');
const app = express();

app.post('/webhook', express.raw({type: 'application/json'}), (req, res) => {
  let event;
  try {
    const signature = req.headers['stripe-signature'];
    event = stripe.webhooks.constructEvent(req.body, signature, secret);
  } catch {
    res.sendStatus(400);
    return;
  }

  switch (event.type) {
    case 'payment_intent.succeeded':
    case 'payment_method.attached':
      break;
    default:
      console.log(`unhandled event type ${event.type}`);
  }
  res.send();
});

const server = app.listen(0, '127.0.0.1', () => {
  console.log(server.address().port);
});
