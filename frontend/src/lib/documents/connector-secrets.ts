import type { Connector, SecretInfo } from '#lib/api/types.ts';
import { findSecretNames } from '#lib/users/secret-uses.ts';

/** Which of the secrets that a connector needs exist. */
export interface ConnectorSecrets {
	/** `none`: it needs none. `partly`: some are missing. */
	state: 'none' | 'set' | 'partly' | 'missing';
	needed: string[];
	missing: string[];
	/** Whether one was made from a credential in the document, and is deleted with it. */
	hasGenerated: boolean;
}

/** Compares what a connector refers to with the secrets that exist. */
export function checkConnectorSecrets({ header, body, data }: Pick<Connector, 'header' | 'body' | 'data'>, secrets: readonly SecretInfo[]): ConnectorSecrets {
	const needed = [...findSecretNames({ header, body, data })];
	const found = new Map(secrets.map((secret) => [secret.name, secret]));
	const missing = needed.filter((name) => !found.has(name));
	const state = needed.length === 0 ? 'none' : missing.length === 0 ? 'set' : missing.length === needed.length ? 'missing' : 'partly';
	return { state, needed, missing, hasGenerated: needed.some((name) => typeof found.get(name)?.declaration === 'string') };
}

/** Says in a few words which secrets are set. */
export function describeConnectorSecrets({ state, needed, missing }: ConnectorSecrets): string {
	switch (state) {
		case 'none':
			return 'needs no secret';
		case 'set':
			return `${needed.join(', ')} ${needed.length === 1 ? 'is' : 'are'} set`;
		case 'partly':
			return `${missing.join(', ')} missing, ${needed.length - missing.length} of ${needed.length} secrets set`;
		case 'missing':
			return `${missing.join(', ')} missing`;
	}
}
