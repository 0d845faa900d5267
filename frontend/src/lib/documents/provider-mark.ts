/** How a provider is shown where there is no logo: initials and a hue that are always the same for the same name. */
export interface ProviderMark {
	/** One or two letters. */
	initials: string;
	/** Angle on the colour wheel. */
	hue: number;
}

/** Hues are at least this far apart, so that two colours that differ also look different. */
const HUE_STEP = 24;

/** Returns the mark of a name: `Open AI` is `OA`, `replicate` is `R`. */
export function markOf(name: string): ProviderMark {
	const words = name.trim().split(/[\s._-]+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
	const initials = words.slice(0, 2).map((word) => [...word][0]!.toUpperCase()).join('') || '?';
	let hash = 0;
	for (const letter of name.trim().toLowerCase()) hash = (hash * 31 + letter.codePointAt(0)!) % 1_000_003;
	return { initials, hue: (hash % (360 / HUE_STEP)) * HUE_STEP };
}
