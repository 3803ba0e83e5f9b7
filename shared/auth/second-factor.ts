/** Whether a token proves that the sign-in used a second factor. */

/**
 * The claim that the user pool's trigger adds to ID tokens (`shared/sign-in/token-claims.ts`). Cognito computes `amr` itself and
 * lets no trigger write it: docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-step-up-authentication.html
 */
export const secondFactorClaim = 'octomil:second_factor'
/** A code of an authenticator app (RFC 6238). */
export const totpFactor = 'totp'

/** Whether the claims of a verified token name a second factor: `amr`, or the claim of the user pool's trigger. */
export const provesSecondFactor = (claims: Readonly<Record<string, unknown>>): boolean =>
  usedSeveralFactors(claims.amr) || claims[secondFactorClaim] === totpFactor

/** Methods of RFC 8176 by kind of factor. Methods of no kind prove no factor. */
const factorOf: Readonly<Record<string, 'knowledge' | 'possession' | 'inherence'>> = {
  ...{ kba: 'knowledge', pin: 'knowledge', pwd: 'knowledge' },
  ...{ hwk: 'possession', otp: 'possession', pop: 'possession', sc: 'possession' },
  ...{ sms: 'possession', swk: 'possession', tel: 'possession' },
  ...{ face: 'inherence', fpt: 'inherence', iris: 'inherence', retina: 'inherence', vbm: 'inherence' },
}

/** RFC 8176: `mfa` is proof by itself; otherwise the methods must be of two kinds. */
function usedSeveralFactors(amr: unknown): boolean {
  if (!Array.isArray(amr)) return false
  const methods = amr.filter((method): method is string => typeof method === 'string')
  const kinds = new Set(methods.filter((method) => Object.hasOwn(factorOf, method)).map((method) => factorOf[method]))
  return methods.includes('mfa') || kinds.size > 1
}
