import { formatJson } from '#lib/format.ts';

/** Saves a value as a JSON file of the user. */
export function downloadJson(name: string, value: unknown): void {
	const url = URL.createObjectURL(new Blob([formatJson(value)], { type: 'application/json' }));
	const link = Object.assign(document.createElement('a'), { href: url, download: name });
	link.click();
	URL.revokeObjectURL(url);
}
