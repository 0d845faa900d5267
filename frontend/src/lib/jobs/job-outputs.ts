import type { Job, Step } from '#lib/api/types.ts';
import { formatLocation } from '#lib/jobs/jobs.ts';
import { findMedia, type Media } from '#lib/media/media.ts';

/** A picture, video, sound or file of a job, with the place where it was found. */
export interface JobMedia extends Media {
	/** Where it comes from: `Output`, `Input`, or a step with its iteration. */
	source: string;
}

/** Most files of a job that its page shows at once. */
const MAX_SHOWN = 60;

/** The parts of a job that have files. */
type MediaJob = Pick<Job, 'input' | 'output'>;
type MediaStep = Pick<Step, 'id' | 'path' | 'status' | 'output'>;

/**
 * The files that one waits for: those of the job's output, or as long as there are none, those of the steps that ended
 * last, the newest first.
 */
export function findOutputs(job: MediaJob, steps: readonly MediaStep[], origin: string): JobMedia[] {
	const final = findMedia(job.output, origin, MAX_SHOWN);
	if (final.length > 0) return final.map((media) => ({ ...media, source: 'Output' }));
	const found = new Map<string, JobMedia>();
	for (const step of steps.toReversed()) {
		if (found.size >= MAX_SHOWN) break;
		if (step.status !== 'completed') continue;
		for (const media of findMedia(step.output, origin, MAX_SHOWN - found.size)) if (!found.has(media.url)) found.set(media.url, { ...media, source: sourceOf(step) });
	}
	return [...found.values()];
}

/** All files of a job that can be compared: input, steps in order, output. Each address once, where it appears last. */
export function findComparable(job: MediaJob, steps: readonly MediaStep[], origin: string): JobMedia[] {
	const all: JobMedia[] = [
		...findMedia(job.input, origin, MAX_SHOWN).map((media) => ({ ...media, source: 'Input' })),
		...steps.slice(0, MAX_SHOWN).flatMap((step) => findMedia(step.output, origin, MAX_SHOWN).map((media) => ({ ...media, source: sourceOf(step) }))),
		...findMedia(job.output, origin, MAX_SHOWN).map((media) => ({ ...media, source: 'Output' }))
	];
	const last = new Map(all.map((media) => [media.url, media]));
	return all.filter((media) => last.get(media.url) === media && media.kind === 'image' && media.inline);
}

function sourceOf(step: Pick<Step, 'id' | 'path'>): string {
	return [step.id, formatLocation(step)].filter(Boolean).join(', ');
}

/** Texts in an output that are meant to be read: a string, or the long strings of an object's fields. */
export function findTexts(output: unknown): { label: string; text: string }[] {
	const MIN_CHARS = 40;
	if (typeof output === 'string') return isLink(output) ? [] : [{ label: '', text: output }];
	if (typeof output !== 'object' || output === null || Array.isArray(output)) return [];
	return Object.entries(output).flatMap(([label, text]) => (typeof text === 'string' && text.length >= MIN_CHARS && !isLink(text) ? [{ label, text }] : []));
}

function isLink(text: string): boolean {
	return /^(https?:|data:|\/api\/)\S*$/.test(text);
}
