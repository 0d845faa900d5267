import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { JobFeed, type Source } from './job-feed.svelte.ts';

class Stream extends EventTarget implements Source {
	readyState = 1;
	closed = false;
	close() {
		this.closed = true;
	}
	send(type: string) {
		this.dispatchEvent(new Event(type));
	}
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function follow() {
	const stream = new Stream();
	let readings = 0;
	const feed = new JobFeed(stream, () => readings++, 100);
	return { stream, feed, readings: () => readings };
}

it('refetches once for several events, and again for a later one', () => {
	const { stream, readings } = follow();
	for (let event = 0; event < 5; event++) stream.send('message');
	expect(readings()).toBe(0);
	vi.advanceTimersByTime(100);
	expect(readings()).toBe(1);
	stream.send('message');
	vi.advanceTimersByTime(100);
	expect(readings()).toBe(2);
});

it('reports live, reconnecting, and live again', () => {
	const { stream, feed } = follow();
	const states = [feed.state];
	for (const type of ['open', 'error', 'open']) {
		stream.send(type);
		states.push(feed.state);
	}
	expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
	expect(stream.closed).toBe(false);
});

it.each(['end', 'error'])('reads a last time and closes on %s, when the stream is over', (type) => {
	const { stream, feed, readings } = follow();
	stream.send('message');
	stream.readyState = 2;
	stream.send(type);
	vi.advanceTimersByTime(1000);
	expect([feed.state, stream.closed, readings()]).toEqual(['ended', true, 1]);
});
