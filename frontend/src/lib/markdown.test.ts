import { expect, it } from 'vitest';
import { parseMarkdown } from './markdown.ts';

it('reads headings, paragraphs, lists and code', () => {
	expect(parseMarkdown('# A `b`\n\nOne\ntwo **three**, [four](x.md).\n\n- `x`: y\n- z\n\n```json\n{\n\n}\n```\n\nEnd `')).toEqual([
		{ kind: 'heading', spans: [{ text: 'A ', style: 'plain' }, { text: 'b', style: 'code' }] },
		{ kind: 'paragraph', spans: [{ text: 'One two ', style: 'plain' }, { text: 'three', style: 'strong' }, { text: ', four.', style: 'plain' }] },
		{ kind: 'list', items: [[{ text: 'x', style: 'code' }, { text: ': y', style: 'plain' }], [{ text: 'z', style: 'plain' }]] },
		{ kind: 'code', text: '{\n\n}' },
		{ kind: 'paragraph', spans: [{ text: 'End `', style: 'plain' }] }
	]);
});
