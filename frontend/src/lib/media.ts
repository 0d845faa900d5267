/** An image, video or audio file found in a value. */
export interface Media {
	kind: 'image' | 'video' | 'audio';
	url: string;
	/** Whether the page may load it (own origin, `https:` or `data:`). Others are shown as links. */
	inline: boolean;
	/** Path within the value: `output_image`, `images[0]`. */
	label: string;
}

const EXTENSIONS: Record<string, Media['kind']> = {
	...byKind('image', 'png jpg jpeg gif webp avif svg bmp'),
	...byKind('video', 'mp4 webm mov m4v ogv'),
	...byKind('audio', 'mp3 wav ogg oga m4a aac flac opus')
};

function byKind(kind: Media['kind'], extensions: string): Record<string, Media['kind']> {
	return Object.fromEntries(extensions.split(' ').map((extension) => [extension, kind]));
}

function kindOfMime(mime: unknown): Media['kind'] | undefined {
	const family = typeof mime === 'string' ? mime.split('/')[0] : undefined;
	return family === 'image' || family === 'video' || family === 'audio' ? family : undefined;
}

/** Detects media by the form of a URL alone. `origin` is the page's own. */
export function detectMedia(text: string, origin: string, mime?: unknown): Omit<Media, 'label'> | undefined {
	if (text.startsWith('data:')) {
		const kind = kindOfMime(text.slice('data:'.length));
		return kind && { kind, url: text, inline: true };
	}
	if (!/^https?:\/\/|^\/api\//.test(text)) return undefined;
	const url = URL.parse(text, origin);
	if (!url) return undefined;
	const extension = /\.([a-z0-9]+)$/i.exec(url.pathname)?.[1]?.toLowerCase();
	const kind = kindOfMime(mime) ?? (extension ? EXTENSIONS[extension] : undefined);
	return kind && { kind, url: url.href, inline: url.protocol === 'https:' || url.origin === origin };
}

/** Finds all media in a value, without duplicate URLs, in document order, up to `limit`. */
export function findMedia(value: unknown, origin: string, limit = 24): Media[] {
	const found = new Map<string, Media>();
	const visit = (part: unknown, label: string): void => {
		if (found.size >= limit) return;
		if (typeof part === 'string') {
			const media = detectMedia(part, origin);
			if (media && !found.has(media.url)) found.set(media.url, { ...media, label });
		} else if (Array.isArray(part)) {
			part.forEach((element, index) => visit(element, `${label}[${index}]`));
		} else if (typeof part === 'object' && part !== null) {
			const fields = part as Record<string, unknown>;
			const media = typeof fields.url === 'string' ? detectMedia(fields.url, origin, fields.mime) : undefined;
			if (media && !found.has(media.url)) found.set(media.url, { ...media, label });
			for (const [key, inner] of Object.entries(fields)) visit(inner, label ? `${label}.${key}` : key);
		}
	};
	visit(value, '');
	return [...found.values()];
}
