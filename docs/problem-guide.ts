/** What each problem means to a caller and how to fix it: the text of `docs/problems.md`. */
import type { ProblemCode } from '../shared/problem.ts'

interface Guide {
  happened: string
  fix: string
  /** Whether and how to send the request again. */
  retry: string
}

const asIs = 'No. The same request gets the same answer.'
const afterHeader = 'Yes, after the seconds of `Retry-After`.'

export const problemGuide: Record<ProblemCode, Guide> = {
  invalid_input: {
    happened: 'The path, the query, a header or the body does not fit the operation. Nothing was changed.',
    fix: 'Correct every entry of `errors`. `path` names the field (`limits.max_devices.limit`), `message` the values it accepts.',
    retry: asIs,
  },
  authentication_failed: {
    happened: 'The request has no credential, a malformed one, two different ones, or a token that is not valid here.',
    fix: 'Send one credential: `Authorization: Bearer <API key or token>`, or `X-API-Key: <API key>`. Sign in again for a new token.',
    retry: 'No. Send a valid credential.',
  },
  invalid_api_key: {
    happened: 'The API key is malformed, unknown or revoked. `detail` says which.',
    fix: 'Compare the key with the stored one: a character may be missing. Create a new key if it was revoked or rotated.',
    retry: 'No. Send another key.',
  },
  token_expired: {
    happened: 'The API key or the sign-in token has expired.',
    fix: 'Sign in again, or create a new key. A key keeps its `expires_at` when it is rotated.',
    retry: 'No. Send a new credential.',
  },
  plan_limit_reached: {
    happened: "The organization's plan does not include the feature, or the value is above the plan's ceiling.",
    fix: 'Choose a value within the plan, or buy the plan that `detail` names: `POST /api/v2/settings/billing/checkout`.',
    retry: 'No. The request succeeds once the plan allows it.',
  },
  forbidden: {
    happened:
      "The credential is valid but may not do this. It lacks the scope, belongs to another organization, or fails one of the organization's rules: address, origin, second factor, age of the session.",
    fix: '`detail` names the scope or the rule. Use a credential with that scope, or ask an owner to change the rule.',
    retry: 'No. Scopes and rules decide; a new attempt changes neither.',
  },
  not_found: {
    happened:
      'The path names no operation, or no such resource exists in your organization. A resource of another organization gives the same answer.',
    fix: 'Check the id and the organization of the credential. For an unknown path, `detail` may suggest a known one.',
    retry: asIs,
  },
  method_not_allowed: {
    happened: 'The path exists, but has no operation with this method.',
    fix: 'Use a method that the `Allow` header lists.',
    retry: asIs,
  },
  conflict: {
    happened:
      'The state of the resource does not permit the change: for example, a revoked key cannot be rotated, and a list has reached its maximum.',
    fix: 'Read the resource again, then act on its present state as `detail` says.',
    retry: 'Only if `retryable` is true: another request holds the resource. Wait for `Retry-After`.',
  },
  idempotency_in_progress: {
    happened: 'An earlier request with the same `Idempotency-Key` is still running.',
    fix: 'Wait, then send the same request with the same key: the service replays the first answer.',
    retry: afterHeader,
  },
  precondition_failed: {
    happened: 'The resource has changed since you read it: `If-Match` names an older `ETag`. Nothing was changed.',
    fix: 'Read the resource, apply your change to it, and send the new `ETag` in `If-Match`.',
    retry: 'No. The old `ETag` never matches again.',
  },
  payload_too_large: {
    happened: 'The body is above 256 KiB, or above 1 MiB for a webhook.',
    fix: 'Send less in one request.',
    retry: asIs,
  },
  unsupported_media_type: {
    happened: 'The body is not declared as JSON, or is compressed.',
    fix: 'Send `Content-Type: application/json` and no `Content-Encoding`.',
    retry: asIs,
  },
  idempotency_mismatch: {
    happened: 'The `Idempotency-Key` belongs to a request with another body, sent within the last 24 hours.',
    fix: 'Make a new key for every new request. Keep a key for attempts of one request only.',
    retry: 'No. Send it with a new key.',
  },
  rate_limited: {
    happened: 'The credential has used up its requests for this minute.',
    fix: 'Spread requests: `RateLimit` on each answer shows the rest of the limit. A key may have its own limit, `rate_limit_per_minute`.',
    retry: afterHeader,
  },
  server_error: {
    happened: 'The service failed in a way it did not expect. The cause is in its log, under `request_id`.',
    fix: 'If it stays, report the `request_id`.',
    retry: 'Yes, with a pause that grows. Repeat a POST with the same `Idempotency-Key`: it takes effect once.',
  },
  upstream_error: {
    happened: 'Stripe or an AI provider returned an error that the service cannot correct.',
    fix: 'Retry later. If it stays, check the status page of that service.',
    retry: 'Yes, with a pause that grows.',
  },
  service_unavailable: {
    happened:
      'A part that the request needs does not answer, is busy, or is not set up yet. `detail` names it: the database, Stripe, the issuer of tokens.',
    fix: 'Wait for a part that is busy. An operator must supply a missing setting that `detail` names.',
    retry: 'Yes, after the seconds of `Retry-After`. Not if `retryable` is false: an operator has to act first.',
  },
  request_timeout: {
    happened: 'The request ran out of time. It may have taken effect.',
    fix: 'Read the resource before you change it again. Repeat a POST with the same `Idempotency-Key`.',
    retry: 'Yes, with a pause that grows.',
  },
}
