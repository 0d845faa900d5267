import type { AnyDocument } from '#lib/documents/kinds.ts';

/** Names of the secrets that a connector or node refers to (`$NAME`; `$$` is a plain `$`). */
export function findSecretNames(document: unknown): Set<string> {
	const names = new Set<string>();
	const visit = (value: unknown) => {
		if (typeof value === 'string') {
			for (const [, escaped, name] of value.matchAll(/\$(?:(\$)|([A-Za-z_]\w*))/g)) if (!escaped && name) names.add(name);
		} else if (typeof value === 'object' && value !== null) {
			Object.values(value).forEach(visit);
		}
	};
	visit(document);
	return names;
}

/** Documents that refer to each secret, by its name. */
export function findSecretUses<T extends AnyDocument>(documents: readonly T[]): Map<string, T[]> {
	const uses = new Map<string, T[]>();
	for (const document of documents) {
		// Descriptions are text: a price in them is not a reference.
		const { name: _name, description: _description, diagnostics: _diagnostics, ...rest } = document as T & { description?: string };
		for (const name of findSecretNames(rest)) uses.set(name, [...(uses.get(name) ?? []), document]);
	}
	return uses;
}
