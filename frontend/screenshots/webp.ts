/** A part of the picture that replaces what was there. */
export interface Frame {
	/** A still picture as a WebP file. */
	file: Uint8Array;
	/** Place of its upper left corner; both are even. */
	x: number;
	y: number;
	width: number;
	height: number;
	/** How long it is shown, in ms. */
	duration: number;
}

function chunk(name: string, content: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(8 + content.length + (content.length % 2));
	bytes.set(new TextEncoder().encode(name));
	new DataView(bytes.buffer).setUint32(4, content.length, true);
	bytes.set(content, 8);
	return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		bytes.set(part, at);
		at += part.length;
	}
	return bytes;
}

/** Numbers of 24 bits, the lowest byte first. */
const uint24 = (...values: number[]): Uint8Array => Uint8Array.from(values.flatMap((value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255]));

/** Returns the chunks of a still picture that contain its pixels. */
function pixels(file: Uint8Array): Uint8Array {
	const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
	const found: Uint8Array[] = [];
	for (let at = 12; at + 8 <= file.length; ) {
		const name = new TextDecoder().decode(file.subarray(at, at + 4));
		const size = view.getUint32(at + 4, true);
		if (['VP8 ', 'VP8L', 'ALPH'].includes(name)) found.push(chunk(name, file.subarray(at + 8, at + 8 + size)));
		at += 8 + size + (size % 2);
	}
	if (found.length === 0) throw new Error('a frame is not a still WebP picture');
	return join(found);
}

/** Joins still pictures to an animated WebP file that repeats. Source: WebP Container Specification. */
export function joinFrames(width: number, height: number, frames: readonly Frame[]): Uint8Array {
	const animated = 0x02;
	const header = chunk('VP8X', join([Uint8Array.of(animated, 0, 0, 0), uint24(width - 1, height - 1)]));
	const loop = chunk('ANIM', new Uint8Array(6));
	const replaces = 0x02;
	const parts = frames.map((frame) =>
		chunk('ANMF', join([uint24(frame.x / 2, frame.y / 2, frame.width - 1, frame.height - 1, frame.duration), Uint8Array.of(replaces), pixels(frame.file)]))
	);
	return chunk('RIFF', join([new TextEncoder().encode('WEBP'), header, loop, ...parts]));
}
