import { expect, it } from 'vitest';
import { artifactKind, artifactUrl } from './artifacts.ts';

it.each([
	['image/png', 'image'],
	['video/mp4', 'video'],
	['application/pdf', 'file']
])('artifactKind(%s)', (mime, kind) => expect(artifactKind({ mime })).toBe(kind));

it('artifactUrl names the thumbnail', () => expect([artifactUrl('a.b'), artifactUrl('a', 320)]).toEqual(['/api/v1/artifacts/a.b', '/api/v1/artifacts/a?w=320']));
