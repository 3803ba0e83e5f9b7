/** The typed client of the Octomil settings API. */

export type { KeptHead } from './audit-heads.ts'
export type { ExportedCheckpoint } from './audit-lines.ts'
export type { AuditFault, AuditFaultReason, AuditReport } from './audit-report.ts'
export type { AuditKey } from './audit-signature.ts'
export { type Credential, createSettingsClient, type SettingsClient, type SettingsClientOptions } from './client.ts'
export {
  type ActiveKey,
  createKeyVerifier,
  type InactiveKey,
  type KeyVerifier,
  type KeyVerifierOptions,
  type PresentedRequest,
  type Verdict,
} from './key-verifier.ts'
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
  createUsageReporter,
  type UsageRecord,
  type UsageReporter,
  type UsageReporterOptions,
} from './usage-reporter.ts'
export { type VerifyAuditOptions, verifyAuditExport } from './verify-audit.ts'
export {
  verifyWebhook,
  type WebhookEvent,
  type WebhookHeaders,
  type WebhookOptions,
  WebhookVerificationError,
} from './webhook.ts'
