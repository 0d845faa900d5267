import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Time in which a server must be ready, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

/** A server of one test, with its own port and data folder. It can be killed and started again on the same data. */
export class OwnServer {
	/** Base URL, without a path. */
	readonly url: string;
	readonly #program: string;
	readonly #folder: string;
	readonly #allowedHosts: string;
	#process: ChildProcess | undefined;

	private constructor(program: string, folder: string, port: number, allowedHosts: string) {
		this.#program = program;
		this.#folder = folder;
		this.#allowedHosts = allowedHosts;
		this.url = `http://127.0.0.1:${port}`;
	}

	/** Creates a server that may call the given private hosts. It is not started yet. */
	static async create(program: string, allowedHosts: string): Promise<OwnServer> {
		return new OwnServer(program, await mkdtemp(join(tmpdir(), 'apiflow-e2e-')), await findFreePort(), allowedHosts);
	}

	/** Starts it, and waits until it is ready. `admin` is the first user. */
	async start(admin: { username: string; password: string }): Promise<void> {
		const settings = {
			PATH: process.env.PATH,
			APIFLOW_LISTEN: new URL(this.url).host,
			PUBLIC_API_URL: this.url,
			APIFLOW_DATA: join(this.#folder, 'data'),
			APIFLOW_ALLOW_HOSTS: this.#allowedHosts,
			ADMIN_LOGIN: admin.username,
			ADMIN_PASSWORD: admin.password
		};
		this.#process = spawn(this.#program, ['serve'], { env: settings, cwd: this.#folder, stdio: 'ignore' });
		const deadline = Date.now() + START_TIMEOUT_MS;
		while (!(await isReady(this.url))) {
			if (Date.now() > deadline || this.#process.exitCode !== null) throw new Error(`${this.#program} did not get ready at ${this.url}`);
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	}

	/** Kills it at once, as a crash would. */
	async kill(): Promise<void> {
		const killed = this.#process;
		if (!killed || killed.exitCode !== null || killed.signalCode !== null) return;
		const ended = new Promise((resolve) => killed.once('exit', resolve));
		killed.kill('SIGKILL');
		await ended;
	}

	/** Kills it and deletes its data. */
	async dispose(): Promise<void> {
		await this.kill();
		await rm(this.#folder, { recursive: true, force: true });
	}
}

async function isReady(url: string): Promise<boolean> {
	try {
		return (await fetch(`${url}/readyz`)).ok;
	} catch {
		return false;
	}
}

function findFreePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const listener = createServer();
		listener.once('error', reject);
		listener.listen(0, '127.0.0.1', () => {
			const { port } = listener.address() as AddressInfo;
			listener.close(() => resolve(port));
		});
	});
}
