import { formatJson } from '#lib/format.ts';

/** Saves a text as a file of the user. */
export function downloadText(name: string, text: string, type = 'text/plain'): void {
	const url = URL.createObjectURL(new Blob([text], { type }));
	const link = Object.assign(document.createElement('a'), { href: url, download: name });
	link.click();
	URL.revokeObjectURL(url);
}

/** Saves a value as a JSON file of the user. */
export function downloadJson(name: string, value: unknown): void {
	downloadText(name, formatJson(value), 'application/json');
}

/** Saves several files of the user, one after another. Browsers may ask once whether a page may save several files. */
export function downloadUrls(files: readonly { url: string; name: string }[]): void {
	for (const { url, name } of files) {
		const isOwn = url.startsWith(location.origin) || url.startsWith('data:');
		const link = Object.assign(document.createElement('a'), { href: url, download: name, rel: 'noreferrer', target: isOwn ? '' : '_blank' });
		link.click();
	}
}
