// The real binary as a child process, and the official client pointed at it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Replicate from "replicate";

const BINARY =
  process.env.FAKE_PROVIDERS_BIN ??
  fileURLToPath(new URL("../../../target/debug/fake-providers", import.meta.url));

/** Starts the binary on a free port with `behaviour`, and stops it when the test `t` is over. */
export async function start(t, behaviour = {}) {
  const child = spawn(BINARY, ["--listen", "127.0.0.1:0", "--behaviour", JSON.stringify(behaviour)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(async () => {
    const gone = child.exitCode === null && once(child, "exit");
    child.kill();
    await gone;
  });
  const [line] = await once(createInterface({ input: child.stdout }), "line", { signal: AbortSignal.timeout(10_000) });
  const origin = line.match(/^listening on (http:\/\/127\.0\.0\.1:\d+)$/)[1];
  return {
    origin,
    replicate: new Replicate({ auth: "r8_test", baseUrl: `${origin}/v1`, useFileOutput: false }),
    /** Changes some knobs. */
    control: (patch) => call(`${origin}/_control`, patch),
    /** Counts and contents. */
    stats: () => call(`${origin}/_control/stats`),
  };
}

async function call(url, body) {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(url, body && init);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}
