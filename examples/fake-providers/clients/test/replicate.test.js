// What the official JavaScript client does with the stand-in is what it does with Replicate.

import assert from "node:assert/strict";
import { test } from "node:test";
import Replicate, { parseProgressFromLogs } from "replicate";
import { start } from "../stand-in.js";

const KONTEXT = "black-forest-labs/flux-kontext-pro";
const SDXL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b";
const CREATE = "POST /v1/models/{owner}/{name}/predictions";
const READ = "GET /v1/predictions/{id}";
const CANCEL = "POST /v1/predictions/{id}/cancel";
const input = { prompt: "a hat" };
const options = { timeout: 30_000 };

const output = (prediction) => `https://replicate.delivery/fake/${prediction.id}.png`;

test("run in block mode takes one call", options, async (t) => {
  const { replicate, stats } = await start(t);
  const result = await replicate.run(KONTEXT, { input });
  const { by_path, predictions, create_calls } = await stats();
  assert.equal(result, output(predictions[0]));
  assert.deepEqual(by_path, { [CREATE]: 1 });
  assert.equal(create_calls[0].headers.prefer, "wait");
  assert.match(create_calls[0].headers["user-agent"], /^replicate-javascript\/1\.4\./);
});

test("run in block mode polls when the wait is over", options, async (t) => {
  const { replicate, stats } = await start(t, { delay_ms: 1300 });
  const seen = [];
  const result = await replicate.run(KONTEXT, { input, wait: { mode: "block", timeout: 1 } }, ({ status }) => seen.push(status));
  const { by_path, predictions, creates } = await stats();
  assert.equal(result, output(predictions[0]));
  assert.equal(creates, 1);
  assert.ok(by_path[READ] >= 1);
  assert.deepEqual([seen.at(0), seen.at(-1)], ["starting", "succeeded"]);
});

test("run in poll mode follows the progress in the logs", options, async (t) => {
  const { replicate, stats } = await start(t, { delay_ms: 600 });
  const progress = [];
  const result = await replicate.run(KONTEXT, { input, wait: { mode: "poll", interval: 50 } }, (prediction) => {
    const parsed = parseProgressFromLogs(prediction);
    if (parsed) progress.push(parsed.percentage);
  });
  const { by_path, predictions, creates } = await stats();
  assert.equal(result, output(predictions[0]));
  assert.equal(creates, 1);
  assert.ok(by_path[READ] >= 2);
  assert.ok(progress.some((percentage) => percentage > 0 && percentage < 1), `no progress between: ${progress}`);
  assert.equal(progress.at(-1), 1);
  assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
});

test("a version, a deployment and a model can be run", options, async (t) => {
  const { replicate, stats } = await start(t);
  const images = await replicate.run(SDXL, { input });
  const created = await replicate.deployments.predictions.create("acme", "kontext", { input });
  const text = await replicate.run("meta/meta-llama-3-8b-instruct", { input });
  const { predictions } = await stats();
  assert.deepEqual(images, [output(predictions[0])]);
  assert.equal(created.status, "starting");
  assert.equal(predictions[1].deployment, "acme/kontext");
  assert.equal(text.join(""), "You said: a hat");
});

test("one step's output is the next one's input", options, async (t) => {
  const { replicate, stats } = await start(t);
  const hat = await replicate.run(KONTEXT, { input });
  await replicate.run(KONTEXT, { input: { prompt: "a cartoon", input_image: hat } });
  const { predictions } = await stats();
  assert.equal(predictions[1].input.input_image, output(predictions[0]));
});

test("a file output is a real image", options, async (t) => {
  const { origin } = await start(t, { delivery: "data" });
  const replicate = new Replicate({ auth: "r8_test", baseUrl: `${origin}/v1` });
  const file = await replicate.run(KONTEXT, { input });
  const blob = await file.blob();
  assert.equal(blob.type, "image/png");
  const bytes = Buffer.from(await blob.arrayBuffer());
  assert.equal(bytes.subarray(1, 4).toString(), "PNG");
});

test("a failed prediction throws its error text", options, async (t) => {
  const { replicate, stats } = await start(t, { end: "failed", error: "out of memory (E1001)" });
  const expected = { message: "Prediction failed: out of memory (E1001)" };
  await assert.rejects(replicate.run(KONTEXT, { input }), expected);
  await assert.rejects(replicate.run(KONTEXT, { input, wait: { mode: "poll", interval: 20 } }), expected);
  assert.equal((await stats()).accepted, 2);
});

test("the client returns null for processing without output", options, async (t) => {
  const { replicate } = await start(t, { prefer_wait: "processing_null" });
  assert.equal(await replicate.run(KONTEXT, { input }), null);
});

test("the client takes processing with an output as the end", options, async (t) => {
  const { replicate, stats } = await start(t, { prefer_wait: "processing_with_output" });
  const result = await replicate.run(KONTEXT, { input });
  const { predictions, by_path } = await stats();
  assert.equal(result, output(predictions[0]));
  assert.equal(by_path[READ], undefined);
});

test("an abort signal cancels the prediction", options, async (t) => {
  const { replicate, stats } = await start(t, { delay_ms: 60_000 });
  const abort = new AbortController();
  const running = replicate.run(KONTEXT, { input, wait: { mode: "poll", interval: 20 }, signal: abort.signal }, () => abort.abort());
  assert.equal(await running, null);
  const { by_path, predictions } = await stats();
  assert.equal(by_path[CANCEL], 1);
  assert.equal(predictions[0].status, "canceled");
});

test("create, get, cancel and wait", options, async (t) => {
  const { replicate, control } = await start(t, { delay_ms: 60_000 });
  const created = await replicate.predictions.create({ model: KONTEXT, input });
  assert.deepEqual((await replicate.predictions.get(created.id)).input, input);
  assert.equal((await replicate.predictions.cancel(created.id)).status, "canceled");
  await control({ delay_ms: 60 });
  const second = await replicate.predictions.create({ model: KONTEXT, input });
  const ended = await replicate.wait(second, { interval: 20 });
  assert.deepEqual([ended.status, ended.output], ["succeeded", output(second)]);
});

test("the list is paged to its end, newest first", options, async (t) => {
  const { replicate } = await start(t, { page_size: 2 });
  const ids = [];
  for (let n = 0; n < 5; n++) {
    ids.unshift((await replicate.predictions.create({ model: KONTEXT, input })).id);
  }
  const pages = [];
  for await (const page of replicate.paginate(replicate.predictions.list)) {
    pages.push(page.map(({ id }) => id));
  }
  assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
});

test("models, versions and the account are read", options, async (t) => {
  const { replicate } = await start(t);
  const model = await replicate.models.get("black-forest-labs", "flux-kontext-pro");
  const version = await replicate.models.versions.get("black-forest-labs", "flux-kontext-pro", model.latest_version.id);
  assert.deepEqual(version.openapi_schema.components.schemas.Input.required, ["prompt"]);
  assert.equal((await replicate.accounts.current()).type, "user");
});

async function refused(promise, status) {
  const error = await promise.then(() => assert.fail("it was accepted"), (error) => error);
  assert.equal(error.name, "ApiError", String(error));
  assert.equal(error.response.status, status);
  return error.message;
}

test("wrong input is an ApiError that names the field", options, async (t) => {
  const { replicate, stats } = await start(t);
  const message = await refused(replicate.run(KONTEXT, { input: { prompt: "p", output_format: "webp" } }), 422);
  assert.match(message, /"field":"input\.output_format"/);
  assert.match(await refused(replicate.run(KONTEXT, { input: {} }), 422), /prompt is required/);
  assert.equal((await stats()).accepted, 0);
});

test("other refusals are ApiErrors after one call", options, async (t) => {
  const { replicate, control, stats } = await start(t);
  await refused(replicate.run("nobody/nothing", { input }), 404);
  assert.match(await refused(replicate.run(`nobody/nothing:${"0".repeat(64)}`, { input }), 422), /Invalid version/);
  await control({ require_token: "r8_other" });
  assert.match(await refused(replicate.run(KONTEXT, { input }), 401), /Unauthenticated/);
  await control({ require_token: null, fail_first: 1, fail_with: { status: 402 } });
  assert.match(await refused(replicate.run(KONTEXT, { input }), 402), /Insufficient credit/);
  await control({ fail_first: 1, fail_with: { status: 500 } });
  await refused(replicate.run(KONTEXT, { input }), 500);
  const { creates, accepted } = await stats();
  assert.deepEqual([creates, accepted], [5, 0]);
});

test("the client sends a create six times while it is throttled", options, async (t) => {
  const { replicate, control, stats } = await start(t, { fail_first: 100, fail_with: { status: 429, headers: { "retry-after": "1" } } });
  assert.match(await refused(replicate.predictions.create({ model: KONTEXT, input }), 429), /throttled/);
  assert.deepEqual(((s) => [s.creates, s.accepted])(await stats()), [6, 0]);
  await control({ fail_first: 2 });
  await replicate.predictions.create({ model: KONTEXT, input });
  assert.deepEqual(((s) => [s.creates, s.accepted])(await stats()), [9, 1]);
});

test("the client pays twice when a connection breaks after the job was accepted", options, async (t) => {
  const { replicate, stats } = await start(t, { drop_after_accept: 1 });
  await replicate.predictions.create({ model: KONTEXT, input });
  const { creates, accepted } = await stats();
  assert.deepEqual([creates, accepted], [2, 2]);
});

test("the client survives failing and breaking reads", options, async (t) => {
  const { replicate, stats } = await start(t, { drop_polls: 1, fail_polls: 2, fail_with: { status: 502 } });
  const created = await replicate.predictions.create({ model: KONTEXT, input });
  assert.equal((await replicate.predictions.get(created.id)).id, created.id);
  assert.equal((await stats()).by_path[READ], 4);
});
