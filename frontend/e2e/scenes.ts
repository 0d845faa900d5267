import { DIALOGS } from './scenes/dialogs.ts';
import { EDITOR } from './scenes/editor.ts';
import { JOBS } from './scenes/jobs.ts';
import { LOGGED_OUT } from './scenes/login.ts';
import { PAGES } from './scenes/pages.ts';
import type { Scene } from './scenes/scene.ts';

export type { Exhibits, Scene } from './scenes/scene.ts';

/** Scenes by what they show, in an order in which they can be opened one after the other. */
export const GROUPS: readonly (readonly [name: string, scenes: readonly Scene[]])[] = [
	['pages', PAGES],
	['jobs', JOBS],
	['dialogs', DIALOGS],
	['the editor', EDITOR],
	['login', LOGGED_OUT]
];
