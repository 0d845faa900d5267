import type { Knowledge, PartSuggestions, Place, Suggestion } from '#lib/editor/knowledge.ts';
import type { Schema } from '#lib/editor/schema.ts';
import { isObject } from '#lib/workflow/modules.ts';
import { OPERATION_PRESETS } from './node-form.ts';

/** Presets of uploads. Source: `apiflow-core/src/catalog/declarations.json`. */
const UPLOAD_PRESETS = ['fal', 'replicate', 'runway'] as const;

/** Methods that calls can have. */
const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE'] as const;

/** Fields whose text is for people, where `$` has no meaning. */
const PLAIN_FIELDS: ReadonlySet<string | number> = new Set(['id', 'name', 'description', 'mapping']);

/** Where the facts about connectors and nodes come from. */
export interface DeclarationFacts {
	/** Names of the secrets that the user can refer to. */
	secrets: readonly string[];
	/** Connectors that a node can use. */
	connectors: readonly { id: string; name: string }[];
}

/** Builds what the text editor knows about connectors or nodes. `facts` is asked at each use. */
export function declarationKnowledge(schema: Schema, facts: () => DeclarationFacts): Knowledge {
	return {
		schema,
		values: (place) => suggestValues(place, facts()),
		keys: () => [],
		parts: (place, value, offset) => completeSecret(place, value.slice(0, offset), facts()) ?? completeTemplate(place, value.slice(0, offset)),
		explain: (place, value) => {
			const connector = place.path[0] === 'connector_id' ? facts().connectors.find(({ id }) => id === value) : undefined;
			return connector ? `**${connector.name}**` : null;
		}
	};
}

function suggestValues({ path }: Place, { connectors }: DeclarationFacts): Suggestion[] {
	const plain = (values: readonly string[], detail: string) => values.map((value) => ({ label: value, detail, value }));
	switch (path.join('/')) {
		case 'connector_id':
			return connectors.map(({ id, name }) => ({ label: id, detail: name, value: id }));
		case 'data/operation':
			return plain(OPERATION_PRESETS, 'preset');
		case 'data/upload':
			return plain(UPLOAD_PRESETS, 'preset');
		default:
			return path.at(-1) === 'method' ? plain(METHODS, '') : [];
	}
}

/** Names of secrets behind `$`; `$$` is a plain `$`. */
function completeSecret({ path }: Place, before: string, { secrets }: DeclarationFacts): PartSuggestions | null {
	const found = /(?:^|[^$])(?:\$\$)*\$([A-Za-z_]\w*)?$/.exec(before);
	if (!found || path.some((segment) => PLAIN_FIELDS.has(segment))) return null;
	const suggestions = secrets.map((name) => ({ label: name, detail: 'secret', insert: name }));
	return { from: before.length - (found[1]?.length ?? 0), suggestions };
}

/** Names of the node's inputs in a template: `{{ input.NAME }}`. */
function completeTemplate({ document, path }: Place, before: string): PartSuggestions | null {
	const found = /\{\{\s*([\w.]*)$/.exec(before);
	if (!found || path.some((segment) => PLAIN_FIELDS.has(segment))) return null;
	const inputs = isObject(document) && Array.isArray(document.input) ? document.input : [];
	const named = inputs.flatMap((input) => (isObject(input) && typeof input.name === 'string' ? [{ name: input.name, type: String(input.type ?? '') }] : []));
	const word = found[1] ?? '';
	const suggestions = [{ label: 'input', detail: 'all inputs', insert: 'input' }, ...named.map(({ name, type }) => ({ label: `input.${name}`, detail: type, insert: `input.${name}` }))];
	return { from: before.length - word.length, suggestions };
}
