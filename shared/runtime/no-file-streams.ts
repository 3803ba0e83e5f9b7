/**
 * Replaces `node:fs` in the bundles (`lib/bundle.ts`): an import of that module loads its streams, 1 ms of a cold start. The
 * SDK would take the length of a body from them; no call of ours sends a file.
 */
const fs = process.getBuiltinModule('node:fs')
export const { fstatSync, lstatSync, readFileSync } = fs

/** No body is an instance of it. */
export class ReadStream {}
