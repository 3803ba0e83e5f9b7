/** The typed client of the Octomil settings API. */
export { type Credential, createSettingsClient, type SettingsClient, type SettingsClientOptions } from './client.ts'
export type {
  Answer,
  AnswerOf,
  BodyOf,
  Call,
  CallOptions,
  EntryOf,
  ListPath,
  OptionsArgument,
  PagedPath,
  PageOf,
  PathOf,
} from './operations.ts'
export { type InputFault, NoAnswerError, type ProblemCode, ProblemError } from './problem.ts'
export { defaultRetryRules, type RetryRules, type Send } from './retry.ts'
export type { components, operations, paths } from './schema.ts'
export {
  verifyWebhook,
  type WebhookEvent,
  type WebhookHeaders,
  type WebhookOptions,
  WebhookVerificationError,
} from './webhook.ts'
