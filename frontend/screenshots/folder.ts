import { join } from 'node:path';

/** The folder that pictures are written to. */
export const folder = (): string => process.env.SCREENSHOT_FOLDER ?? join(import.meta.dirname, '../../target/screenshots');
