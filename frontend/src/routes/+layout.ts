// A single page: the server hands out files only and never renders.
export const ssr = false;
export const prerender = false;
