import { expect, it } from 'vitest';
import type { ArtifactInfo } from '#lib/api/types.ts';
import { checkFile, filterArtifacts, toArtifact } from './media-files.ts';

const file = (type: string, size = 10) => ({ name: 'a.bin', type, size });

it.each([
	[file('image/png'), 'image', [], ''],
	[file('image/png'), 'file', [], ''],
	[file(''), 'image', ['image/png'], ''],
	[file('video/mp4'), 'image', [], 'a.bin is a video; this input takes images'],
	[file('application/pdf'), 'audio', [], 'a.bin is application/pdf; this input takes audio files'],
	[file('image/gif'), 'image', ['image/png', 'image/jpeg'], 'a.bin is image/gif; this input takes image/png, image/jpeg'],
	[file('image/gif'), 'image', ['image/*'], ''],
	[file('image/png', 0), 'image', [], 'a.bin is empty']
])('checkFile(%j, %s, %j)', (facts, kind, accept, fault) => expect(checkFile(facts, kind, accept)).toBe(fault));

const info = (artifact: string, mime: string, name: string | null, step_id: string) =>
	({ artifact, mime, name, sha256: 's', size_bytes: 1, url: 'u', created_at: 'c', last_used_at: 'l', owner: 'o', provenance: { step_id, job: 'j' } }) as unknown as ArtifactInfo;
const items = [info('o1', 'image/png', 'hat.png', 'draw'), info('o2', 'video/mp4', null, 'film')];

it.each([
	['', ['o1', 'o2']],
	['HAT', ['o1']],
	['film', ['o2']],
	['image draw', ['o1']],
	['image film', []]
])('filterArtifacts(%j)', (search, ids) => expect(filterArtifacts(items, search).map(({ artifact }) => artifact)).toEqual(ids));

it('toArtifact leaves out what is no part of the value', () => expect(Object.keys(toArtifact(items[0]!))).not.toContain('owner'));
