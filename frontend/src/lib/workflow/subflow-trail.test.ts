import { expect, it } from 'vitest';
import { editorUrl, isAlongTrail, readTrail } from './subflow-trail.ts';

const url = (path: string) => new URL(path, 'http://localhost');

it.each([
	[editorUrl('a'), []],
	[editorUrl('c', [{ workflow: 'a', step: 'x y/z&' }, { workflow: 'b', step: 'ü' }]), [{ workflow: 'a', step: 'x y/z&' }, { workflow: 'b', step: 'ü' }]],
	['/workflows/c?within=none&within=/x&within=x/', []]
])('the trail of %s', (path, trail) => expect(readTrail(url(path))).toEqual(trail));

it.each([
	['/workflows/a', '/workflows/b?within=a/s', true],
	['/workflows/b?within=a/s', '/workflows/a', true],
	['/workflows/c?within=a/s&within=b/t', '/workflows/a', true],
	['/workflows/a', '/workflows/b', false],
	['/workflows/b?within=a/s', '/workflows/b', false],
	['/workflows/b?within=a/s', '/workflows/c', false],
	['/workflows/a', '/jobs', false]
])('from %s to %s is along the trail: %s', (from, to, expected) => expect(isAlongTrail(url(from), url(to))).toBe(expected));
