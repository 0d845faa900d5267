// The official library for Standard Webhooks verifies what apiflow announces.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { SERVER, startProxy } from "../proxy.js";

const options = { timeout: 60_000, skip: SERVER ? false : "APIFLOW_BIN is not set" };
const document = { summary: "Plain", value: { modules: [{ id: "a", value: { type: "identity" } }] } };

/** Starts a receiver that accepts everything, and stops it when the test `t` is over. */
async function startReceiver(t) {
  const received = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    received.push({ headers: request.headers, body });
    response.writeHead(204).end();
    server.emit("received");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return {
    host: `127.0.0.1:${server.address().port}`,
    next: async () => {
      if (received.length === 0) await once(server, "received", { signal: AbortSignal.timeout(20_000) });
      return received.shift();
    },
  };
}

test("messages are verified with the user's secret, also after a rotation", options, async (t) => {
  const receiver = await startReceiver(t);
  const { api, token } = await startProxy(t, {}, [receiver.host]);
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return response.json();
  };
  const run = () => call("POST", "/workflows/run", { document, input: { a: "ü" }, webhook: `http://${receiver.host}/hook` });
  const { secret } = await call("GET", "/user/webhook_secret");
  const job = await run();
  const { headers, body } = await receiver.next();
  const event = new Webhook(secret).verify(body, headers);
  assert.deepEqual([event.type, event.data.id, event.data.input], ["job.completed", job.id, { a: "ü" }]);
  assert.throws(() => new Webhook(secret).verify(body.replace("completed", "failed"), headers), WebhookVerificationError);
  const rotated = await call("POST", "/user/webhook_secret/rotate", {});
  assert.throws(() => new Webhook(rotated.secret).verify(body, headers), WebhookVerificationError);
  await run();
  const later = await receiver.next();
  for (const each of [secret, rotated.secret]) new Webhook(each).verify(later.body, later.headers);
});
