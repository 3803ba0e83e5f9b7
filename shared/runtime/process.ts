/**
 * Replaces `node:process` in the bundles (`lib/bundle.ts`). An import of that module evaluates all its members, and so opens
 * standard input: 3 ms of a cold start. The SDK needs two of them.
 */
export const { env, versions } = process
