import { QueryObserver } from '@tanstack/svelte-query';
import { expect, it, vi } from 'vitest';
import { FreshQueryClient } from './fresh-query-client.ts';

it('starts a first fetch again that began before a change', async () => {
	const client = new FreshQueryClient();
	const replies: ((value: string) => void)[] = [];
	const observer = new QueryObserver(client, { queryKey: ['nodes', 'list'], queryFn: () => new Promise<string>((resolve) => replies.push(resolve)) });
	const stop = observer.subscribe(() => {});
	expect(replies).toHaveLength(1);
	const refreshed = client.invalidateQueries({ queryKey: ['nodes'] });
	await vi.waitFor(() => expect(replies).toHaveLength(2));
	replies[0]!('before');
	replies[1]!('after');
	await refreshed;
	expect(client.getQueryData(['nodes', 'list'])).toBe('after');
	stop();
});
