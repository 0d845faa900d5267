import { createQuery } from '@tanstack/svelte-query';
import { unwrap, type Api } from '#lib/api/client.ts';
import { connectors, fetchAll } from '#lib/api/documents.ts';
import type { Core } from '#lib/core.ts';
import type { Knowledge } from '#lib/editor/knowledge.ts';
import type { Schema } from '#lib/editor/schema.ts';
import type { Problem } from '#lib/problems.ts';
import { toFixableProblems } from './declaration-fixes.ts';
import { declarationKnowledge } from './declaration-knowledge.ts';

/** A kind of declaration, as in the address of its schema. */
export type DeclarationKind = 'connector' | 'node';

/** What the editors of connectors and nodes know, and the check that runs while they are typed. */
export class DeclarationSupport {
	readonly #kind: DeclarationKind;
	readonly #core: Core;
	readonly #schema;
	readonly #secrets;
	readonly #connectors;

	/** Created while a component is initialized, like all queries. */
	constructor(kind: DeclarationKind, api: Api, core: Core) {
		this.#kind = kind;
		this.#core = core;
		this.#schema = createQuery(() => ({ queryKey: ['schemas', kind], queryFn: () => unwrap(api.GET('/api/v1/schemas/{name}', { params: { path: { name: kind } } })), staleTime: Infinity }));
		this.#secrets = createQuery(() => ({ queryKey: ['secrets'], queryFn: () => unwrap(api.GET('/api/v1/secrets')) }));
		this.#connectors = createQuery(() => ({ queryKey: ['connectors', 'list', 'all'], queryFn: () => fetchAll(connectors(api)) }));
	}

	/** What the text editor knows; `undefined` until the schema is loaded. */
	readonly knowledge: Knowledge | undefined = $derived.by(() => {
		const schema = this.#schema.data;
		return schema && declarationKnowledge(schema as Schema, () => this.#facts());
	});

	/** Whether everything that checks look up is loaded. */
	readonly isReady: boolean = $derived.by(() => this.#kind === 'connector' || this.#connectors.data !== undefined);

	/** Finds problems of a document. */
	async check(document: Record<string, unknown>): Promise<Problem[]> {
		const { declarations } = this.#core;
		const text = JSON.stringify(document);
		const byId = Object.fromEntries((this.#connectors.data ?? []).map((connector) => [connector.id, connector]));
		const found = this.#kind === 'connector' ? await declarations.validateConnector(text) : await declarations.validateNode(text, byId);
		return toFixableProblems(document, found);
	}

	#facts() {
		const secrets = (this.#secrets.data?.items ?? []).filter(({ declaration }) => declaration === null).map(({ name }) => name);
		return { secrets: [...new Set(secrets)].sort(), connectors: this.#connectors.data ?? [] };
	}
}
