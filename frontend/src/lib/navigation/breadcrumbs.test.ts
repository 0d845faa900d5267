import { expect, it } from 'vitest';
import { toCrumbs } from './breadcrumbs.ts';

it.each([
	[undefined, ''],
	[{ href: '/jobs', label: 'jobs' }, '/jobs Jobs'],
	[{ href: '/nodes/flux', label: 'flux edit' }, '/nodes Nodes, /nodes/flux flux edit']
])('toCrumbs(%j)', (parent, expected) => expect(toCrumbs(parent).map(({ href, label }) => `${href} ${label}`).join(', ')).toBe(expected));
