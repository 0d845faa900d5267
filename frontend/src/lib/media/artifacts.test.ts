import { expect, it } from 'vitest';
import { artifactKind, artifactName, artifactUrl } from './artifacts.ts';

it.each([
	['image/png', 'image'],
	['video/mp4', 'video'],
	['application/pdf', 'file']
])('artifactKind(%s)', (mime, kind) => expect(artifactKind({ mime })).toBe(kind));

it('artifactUrl names the thumbnail', () => expect([artifactUrl('a.b'), artifactUrl('a', 320)]).toEqual(['/api/v1/artifacts/a.b', '/api/v1/artifacts/a?w=320']));

it.each([
	[{ artifact: 'a1', name: 'cat.png', provenance: null }, 'cat.png'],
	[{ artifact: 'a1', name: null, provenance: null }, 'a1'],
	[{ artifact: 'a1', name: 'x7f3.png', provenance: { job: 'j', step_id: 'add_hat', provider: 'replicate' } }, 'add_hat']
])('artifactName(%j)', (artifact, name) => expect(artifactName(artifact as Parameters<typeof artifactName>[0])).toBe(name));
