import type { Job, Step } from '#lib/api/types.ts';
import { findMedia, type Media } from '#lib/media/media.ts';
import { formatLocation } from '#lib/jobs/jobs.ts';
import { isObject } from '#lib/workflow/modules.ts';

/** A value of both runs that differs. */
export interface ChangedValue {
	name: string;
	before: unknown;
	after: unknown;
}

/** The fields of two inputs or outputs that differ, in the order of the first. */
export function changedValues(before: unknown, after: unknown): ChangedValue[] {
	if (!isObject(before) || !isObject(after)) return isSameValue(before, after) ? [] : [{ name: '', before, after }];
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return names.filter((name) => !isSameValue(before[name], after[name])).map((name) => ({ name, before: before[name], after: after[name] }));
}

/** Whether two JSON values are equal, whatever the order of keys. */
export function isSameValue(one: unknown, other: unknown): boolean {
	return canonical(one) === canonical(other);
}

/** JSON whose keys are sorted. */
function canonical(value: unknown): string {
	return JSON.stringify(value, (_, part: unknown) => (isObject(part) ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1))) : part)) ?? 'undefined';
}

/** A step of one run or of both. */
export interface StepPair {
	name: string;
	before: Step | undefined;
	after: Step | undefined;
}

/** The steps of two runs, joined by place and id. A step that was retried counts with its last run. */
export function pairSteps(before: readonly Step[], after: readonly Step[]): StepPair[] {
	const key = ({ path, id }: Step) => `${path}/${id}`;
	const [first, second] = [new Map(before.map((step) => [key(step), step])), new Map(after.map((step) => [key(step), step]))];
	return [...new Set([...first.keys(), ...second.keys()])].map((place) => {
		const [one, other] = [first.get(place), second.get(place)];
		const step = (one ?? other)!;
		return { name: [step.id, formatLocation(step)].filter(Boolean).join(', '), before: one, after: other };
	});
}

/** Pictures in the same place of two outputs. */
export function pairPictures(before: Pick<Job, 'output'>, after: Pick<Job, 'output'>, origin: string): { label: string; before: Media; after: Media }[] {
	const pictures = ({ output }: Pick<Job, 'output'>) => findMedia(output, origin).filter(({ kind, inline }) => kind === 'image' && inline);
	const others = new Map(pictures(after).map((media) => [media.label, media]));
	return pictures(before).flatMap((media) => {
		const other = others.get(media.label);
		return other ? [{ label: media.label, before: media, after: other }] : [];
	});
}

/** How long something took, in milliseconds; null if it has not ended. */
export function tookMs({ started_at, finished_at }: { started_at?: string | null; finished_at?: string | null }): number | null {
	return started_at && finished_at ? Date.parse(finished_at) - Date.parse(started_at) : null;
}
