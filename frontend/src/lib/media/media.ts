import { formatBytes, formatDuration } from '#lib/format.ts';

/** An image, video or audio file found in a value, or another file that the server keeps. */
export interface Media {
	kind: 'image' | 'video' | 'audio' | 'file';
	url: string;
	/** What is shown of an image: a thumbnail of a large artifact, otherwise the image itself. */
	preview: string;
	/** Whether the page may load it (own origin, `https:` or `data:`). Others are shown as links. */
	inline: boolean;
	/** Path within the value: `output_image`, `images[0]`. */
	label: string;
	/** What is known about a kept file: `256 × 256 · 12.3 kB`. Empty for links. */
	details: string;
}

/** Types of inputs and outputs that are files. */
export const MEDIA_KINDS = ['image', 'video', 'audio', 'file'] as const;

/** Whether a type of an input or output is a file. */
export function isMediaType(type: string): type is Media['kind'] {
	return MEDIA_KINDS.some((kind) => kind === type);
}

/** The server's ids of artifacts. Source: `Artifact` in `openapi.json`. */
const ARTIFACT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Types of images of which the server makes thumbnails that show all there is to see: a GIF may move. Source: `GET /artifacts/{id}?w=`. */
const THUMBNAIL_TYPES = ['image/png', 'image/jpeg', 'image/webp'];

/** Size from which a thumbnail is shown in place of an image, in bytes. */
const MIN_THUMBNAIL_BYTES = 100_000;

/** Width of thumbnails: twice the width at which most are shown, for dense screens. */
const THUMBNAIL_WIDTH_PX = 640;

/** Width of previews that fill the page. Source: `GET /artifacts/{id}?w=`. */
const LARGE_WIDTH_PX = 1280;

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
export function detectMedia(text: string, origin: string, mime?: unknown): Omit<Media, 'label' | 'details'> | undefined {
	if (text.startsWith('data:')) {
		const kind = kindOfMime(text.slice('data:'.length));
		return kind && { kind, url: text, preview: text, inline: true };
	}
	if (!/^https?:\/\/|^\/api\//.test(text)) return undefined;
	const url = URL.parse(text, origin);
	if (!url) return undefined;
	const extension = /\.([a-z0-9]+)$/i.exec(url.pathname)?.[1]?.toLowerCase();
	const kind = kindOfMime(mime) ?? (extension ? EXTENSIONS[extension] : undefined);
	return kind && { kind, url: url.href, preview: url.href, inline: url.protocol === 'https:' || url.origin === origin };
}

/**
 * Reads the object that stands for an artifact. Its content is read from the page's own origin, whatever its `url` says:
 * that is the server's public address, where this page may have no session.
 */
export function readArtifact(value: object, origin: string): Omit<Media, 'label'> | undefined {
	const fields = value as Record<string, unknown>;
	const { artifact, url, mime } = fields;
	if (typeof artifact !== 'string' || !ARTIFACT_ID.test(artifact) || typeof url !== 'string') return undefined;
	const own = `${origin}/api/v1/artifacts/${artifact}`;
	const isLarge = typeof fields.size_bytes === 'number' && fields.size_bytes >= MIN_THUMBNAIL_BYTES;
	const hasThumbnail = isLarge && typeof mime === 'string' && THUMBNAIL_TYPES.includes(mime);
	return {
		kind: kindOfMime(mime) ?? 'file',
		url: own,
		preview: hasThumbnail ? `${own}?w=${THUMBNAIL_WIDTH_PX}` : own,
		inline: true,
		details: describeArtifact(fields)
	};
}

/** Describes an artifact's dimensions, duration and size: `1280 × 720 · 5.0 s · 1.2 MB`. Unknown parts are left out. */
function describeArtifact({ width, height, duration_s, size_bytes }: Record<string, unknown>): string {
	const parts: string[] = [];
	if (typeof width === 'number' && typeof height === 'number') parts.push(`${width} × ${height}`);
	if (typeof duration_s === 'number') parts.push(formatDuration(duration_s * 1000));
	if (typeof size_bytes === 'number') parts.push(formatBytes(size_bytes));
	return parts.join(' · ');
}

/** Finds all media in a value, without duplicate URLs, in document order, up to `limit`. */
export function findMedia(value: unknown, origin: string, limit = 24): Media[] {
	const found = new Map<string, Media>();
	const add = (media: Omit<Media, 'label'>, label: string): void => {
		if (!found.has(media.url)) found.set(media.url, { ...media, label });
	};
	const visit = (part: unknown, label: string): void => {
		if (found.size >= limit) return;
		if (typeof part === 'string') {
			const media = detectMedia(part, origin);
			if (media) add({ ...media, details: '' }, label);
		} else if (Array.isArray(part)) {
			part.forEach((element, index) => visit(element, `${label}[${index}]`));
		} else if (typeof part === 'object' && part !== null) {
			const artifact = readArtifact(part, origin);
			if (artifact) return add(artifact, label);
			const fields = part as Record<string, unknown>;
			const media = typeof fields.url === 'string' ? detectMedia(fields.url, origin, fields.mime) : undefined;
			if (media) add({ ...media, details: '' }, label);
			for (const [key, inner] of Object.entries(fields)) visit(inner, label ? `${label}.${key}` : key);
		}
	};
	visit(value, '');
	return [...found.values()];
}

/** The preview of an image at a width for large views; the image itself if it has no thumbnails. */
export function largePreview({ url, preview }: Pick<Media, 'url' | 'preview'>): string {
	return preview === url ? url : preview.replace(/w=\d+$/, `w=${LARGE_WIDTH_PX}`);
}

/** Address from which a browser saves a file; it saves those of other origins only after opening them. */
export function downloadUrl(media: Pick<Media, 'url'>, origin: string): string {
	return media.url.startsWith(`${origin}/api/`) ? `${media.url}?download=true` : media.url;
}

/** Name under which a file is saved. */
export function fileName({ url, label, kind }: Pick<Media, 'url' | 'label' | 'kind'>): string {
	const last = url.startsWith('data:') ? '' : (URL.parse(url)?.pathname.split('/').at(-1) ?? '');
	return last.includes('.') ? decodeURIComponent(last) : label || kind;
}
