/**
 * Replaces `@smithy/core/event-streams` in the bundles (`lib/bundle.ts`). No call of DynamoDB, KMS or EventBridge
 * streams events; the SDK imports this module only for such calls.
 */
throw new Error('A call of AWS that streams events needs @smithy/core/event-streams, which lib/bundle.ts leaves out.')
