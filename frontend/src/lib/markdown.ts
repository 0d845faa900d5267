/** A part of a line: text, code or strong text. */
export interface Span {
	text: string;
	style: 'plain' | 'code' | 'strong';
}

/** A block of a text in Markdown. */
export type Block = { kind: 'heading' | 'paragraph'; spans: Span[] } | { kind: 'list'; items: Span[][] } | { kind: 'code'; text: string };

/** Reads the part of Markdown that our descriptions and pages use: headings, paragraphs, lists, code and strong text. */
export function parseMarkdown(text: string): Block[] {
	const blocks: Block[] = [];
	for (const [index, piece] of text.split(/^```\w*\n([\s\S]*?)^```$/m).entries()) {
		if (index % 2 === 1) blocks.push({ kind: 'code', text: piece.trimEnd() });
		else for (const paragraph of piece.split(/\n\s*\n/)) if (paragraph.trim()) blocks.push(readBlock(paragraph.trim()));
	}
	return blocks;
}

function readBlock(text: string): Block {
	const heading = /^#+ (.*)$/.exec(text);
	if (heading) return { kind: 'heading', spans: readSpans(heading[1] ?? '') };
	if (/^[-*] /.test(text)) return { kind: 'list', items: text.split(/\n(?=[-*] )/).map((item) => readSpans(item.slice(2))) };
	return { kind: 'paragraph', spans: readSpans(text) };
}

function readSpans(text: string): Span[] {
	const joined = text.replaceAll(/\s*\n\s*/g, ' ').replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1');
	return joined
		.split(/(`[^`]+`|\*\*[^*]+\*\*)/)
		.filter((piece) => piece !== '')
		.map((piece): Span => {
			if (piece.length > 2 && piece.startsWith('`') && piece.endsWith('`')) return { text: piece.slice(1, -1), style: 'code' };
			if (piece.startsWith('**') && piece.endsWith('**')) return { text: piece.slice(2, -2), style: 'strong' };
			return { text: piece, style: 'plain' };
		});
}
