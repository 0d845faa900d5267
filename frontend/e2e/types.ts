import type { components } from '../src/lib/api/schema.ts';

export type Job = components['schemas']['Job'];
export type LoginReply = components['schemas']['LoginReply'];
export type TokenInfo = components['schemas']['TokenInfo'];
export type User = components['schemas']['User'];
