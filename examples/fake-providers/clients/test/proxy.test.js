// The providers' own clients work through apiflow's raw proxy: only their address and their token are changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFalClient } from "@fal-ai/client";
import { ElevenLabsClient } from "@elevenlabs/elevenlabs-js";
import OpenAI, { toFile } from "openai";
import Replicate from "replicate";
import { SERVER, startProxy } from "../proxy.js";

const options = { timeout: 60_000, skip: SERVER ? false : "APIFLOW_BIN is not set" };
const KONTEXT = "black-forest-labs/flux-kontext-pro";
const LLAMA = "meta/meta-llama-3-8b-instruct";
const input = { prompt: "a hat" };

async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test("replicate runs, waits, streams, cancels and uploads files", options, async (t) => {
  const { token, url, stats } = await startProxy(t);
  const replicate = new Replicate({ auth: token, baseUrl: url("replicate"), useFileOutput: false });
  assert.match(await replicate.run(KONTEXT, { input }), /^https:\/\/replicate\.delivery\//);
  assert.match(await replicate.run(KONTEXT, { input, wait: { mode: "poll", interval: 50 } }), /^https:/);
  const words = [];
  for await (const { event, data } of replicate.stream(LLAMA, { input })) if (event === "output") words.push(data);
  assert.equal(words.join(""), "You said: a hat");
  const file = await replicate.files.create(Buffer.from("a small file"), { kind: "test" });
  assert.equal(file.size, 12);
  assert.equal((await replicate.files.get(file.id)).metadata.kind, "test");
  const prediction = await replicate.predictions.create({ model: KONTEXT, input });
  assert.equal((await replicate.predictions.cancel(prediction.id)).id, prediction.id);
  const { create_calls } = await stats();
  assert.equal(create_calls.length, 4);
  assert.ok(create_calls.every(({ headers }) => headers["user-agent"].startsWith("replicate-javascript/")));
});

test("openai makes images, streams speech and uploads recordings", options, async (t) => {
  const { token, url, statsOf } = await startProxy(t);
  const openai = new OpenAI({ apiKey: token, baseURL: url("openai") });
  const made = await openai.images.generate({ model: "gpt-image-1", prompt: "a person" });
  const picture = Buffer.from(made.data[0].b64_json, "base64");
  assert.equal(picture.subarray(1, 4).toString(), "PNG");
  const image = await toFile(picture, "person.png", { type: "image/png" });
  const edited = await openai.images.edit({ model: "gpt-image-1", prompt: "add a hat", image });
  assert.notEqual(edited.data[0].b64_json, made.data[0].b64_json);
  const speech = await openai.audio.speech.create({ model: "tts-1", voice: "alloy", input: "hello" });
  assert.equal((await collect(speech.body)).subarray(0, 3).toString(), "ID3");
  const recording = await toFile(Buffer.alloc(100_000), "talk.mp3", { type: "audio/mpeg" });
  const { text } = await openai.audio.transcriptions.create({ model: "whisper-1", file: recording });
  assert.equal(text, "You sent 100000 bytes of talk.mp3.");
  assert.equal((await statsOf("openai")).accepted, 4);
});

test("fal submits to its queue and follows it", options, async (t) => {
  const { token, url, statsOf } = await startProxy(t);
  // This client has fixed addresses; its middleware is the documented way to use a proxy.
  const places = { "https://queue.fal.run": "/queue", "https://fal.run": "/run", "https://rest.fal.ai": "/rest", "https://rest.alpha.fal.ai": "/rest" };
  const requestMiddleware = async (request) => {
    const place = Object.keys(places).find((place) => request.url.startsWith(place));
    const headers = { ...request.headers, Authorization: `Bearer ${token}` };
    return place ? { ...request, headers, url: url("fal") + places[place] + request.url.slice(place.length) } : request;
  };
  const fal = createFalClient({ credentials: "unused", requestMiddleware, suppressLocalCredentialsWarning: true });
  const { data } = await fal.subscribe("fal-ai/flux/dev", { input, pollInterval: 50 });
  const picture = await (await fetch(data.images[0].url)).arrayBuffer();
  assert.equal(Buffer.from(picture).subarray(1, 4).toString(), "PNG");
  assert.equal((await statsOf("fal")).accepted, 1);
});

test("elevenlabs speaks", options, async (t) => {
  const { token, url, statsOf } = await startProxy(t);
  // The client sends its key in a header of the provider; the token of apiflow goes beside it.
  const headers = { Authorization: `Bearer ${token}` };
  const client = new ElevenLabsClient({ apiKey: "unused", baseUrl: url("elevenlabs"), headers });
  const audio = await client.textToSpeech.convert("rachel", { text: "hello" }, { headers });
  assert.equal((await collect(audio)).subarray(0, 3).toString(), "ID3");
  assert.equal((await statsOf("elevenlabs")).accepted, 1);
});
