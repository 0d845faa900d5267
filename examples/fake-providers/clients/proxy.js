// apiflow's server with connectors to the stand-ins, so that clients can be pointed at its raw proxy.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./stand-in.js";

export const SERVER = process.env.APIFLOW_BIN;
/** The providers' keys, which no client gets to see. */
const KEY = "canary-of-the-key";
const PASSWORD = "correct horse battery";

/** The providers: base URL at the stand-in, and the header with the key. */
const PROVIDERS = {
  replicate: ["/v1", { Authorization: "Bearer $PROVIDER_KEY" }],
  fal: ["/fal", { Authorization: "Key $PROVIDER_KEY" }],
  openai: ["/openai/v1", { Authorization: "Bearer $PROVIDER_KEY" }],
  elevenlabs: ["/elevenlabs", { "xi-api-key": "$PROVIDER_KEY" }],
};

/** Starts stand-ins and a server that may also call `hosts`, and stops both when the test `t` is over. */
export async function startProxy(t, behaviour, hosts = []) {
  const standIn = await start(t, behaviour);
  const host = new URL(standIn.origin).host;
  for (const provider of ["fal", "openai", "elevenlabs"]) {
    await post(`${standIn.origin}/_control/${provider}`, { delay_ms: 50, require_key: KEY });
  }
  const folder = await mkdtemp(join(tmpdir(), "apiflow-proxy-"));
  const origin = `http://127.0.0.1:${await findFreePort()}`;
  const child = spawn(SERVER, ["serve"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      ...process.env,
      APIFLOW_LISTEN: origin.slice("http://".length),
      PUBLIC_API_URL: origin,
      APIFLOW_DATA: folder,
      ADMIN_PASSWORD: PASSWORD,
      APIFLOW_ALLOW_HOSTS: [host, ...hosts].join(),
      APIFLOW_SECRETS_FROM_ENV: `PROVIDER_KEY@${host}`,
      PROVIDER_KEY: KEY,
    },
  });
  t.after(async () => {
    const gone = child.exitCode === null && once(child, "exit");
    child.kill();
    await gone;
    await rm(folder, { recursive: true, force: true });
  });
  await waitUntilReady(`${origin}/readyz`);
  const api = `${origin}/api/v1`;
  const { token } = await post(`${api}/login`, { username: "admin", password: PASSWORD });
  for (const [id, [path, header]] of Object.entries(PROVIDERS)) {
    await post(`${api}/connectors`, { id, name: id, base_url: standIn.origin + path, header }, token);
  }
  return {
    api,
    token,
    url: (provider) => `${api}/proxy/${provider}`,
    statsOf: (provider) => get(`${standIn.origin}/_control/${provider}/stats`),
    stats: standIn.stats,
  };
}

async function findFreePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

async function waitUntilReady(url) {
  const end = Date.now() + 20_000;
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > end) throw new Error(`${url} is not ready`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function get(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function post(url, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}
