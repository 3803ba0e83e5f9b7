/**
 * Replaces `node:fs/promises` in the bundles (`lib/bundle.ts`), and loads it with the first file: 2 ms of a cold start. Most
 * functions read none.
 */
import type { readFile as ReadFile } from 'node:fs/promises'

export const readFile: typeof ReadFile = ((...given: Parameters<typeof ReadFile>) =>
  process.getBuiltinModule('node:fs/promises').readFile(...given)) as typeof ReadFile
