/** Signing in to a user pool and enrolling an authenticator, against a pool that checks passwords, sessions and codes. */
import {
  AdminInitiateAuthCommand,
  AdminRespondToAuthChallengeCommand,
  AssociateSoftwareTokenCommand,
  CodeMismatchException,
  CognitoIdentityProviderClient,
  EnableSoftwareTokenMFAException,
  ExpiredCodeException,
  NotAuthorizedException,
  SetUserMFAPreferenceCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { otpauthUri, PoolSignIn } from '../../bin/pool-sign-in.ts'
import { mockClientHere } from '../support/mock-client.ts'
import { totpCode } from '../support/totp.ts'

const ids = { UserPoolId: 'us-east-1_test', ClientId: 'client' }
const email = 'ada@acme.example'
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSW'
const password = 'correct horse battery'
const fault = { message: 'a fault of the test', $metadata: {} }
const cognito = mockClientHere(CognitoIdentityProviderClient)

/** State of the pool at the start. */
let pool: {
  mustChangePassword: boolean
  requiresFactor: boolean
  offersChoice: string[]
  pending?: string
  verified?: string
  preferred: boolean
  usedCodes: Set<string>
  signInsWithCode: number
}

const tokens = (withCode: boolean) => ({
  AuthenticationResult: { IdToken: withCode ? 'id token of two factors' : 'id token of one', AccessToken: 'access' },
})

/** As in Cognito: a window of 30 seconds on either side, and each code once. */
function takeCode(of: string | undefined, code: string): boolean {
  const shown = [-30_000, 0, 30_000].map((drift) => totpCode(of ?? '', Date.now() + drift))
  if (!of || !shown.includes(code)) return false
  if (pool.usedCodes.has(code)) throw new ExpiredCodeException(fault)
  pool.usedCodes.add(code)
  return true
}

function afterPassword() {
  if (pool.offersChoice.length > 0) {
    const ChallengeParameters = { MFAS_CAN_CHOOSE: JSON.stringify(pool.offersChoice) }
    return { ChallengeName: 'SELECT_MFA_TYPE' as const, Session: 'choosing', ChallengeParameters }
  }
  if (pool.preferred) return { ChallengeName: 'SOFTWARE_TOKEN_MFA' as const, Session: 'code' }
  if (pool.requiresFactor) return { ChallengeName: 'MFA_SETUP' as const, Session: 'setup' }
  return tokens(false)
}

function respond({
  ChallengeName,
  Session,
  ChallengeResponses: given = {},
}: {
  ChallengeName?: string
  Session?: string
  ChallengeResponses?: Record<string, string>
}) {
  switch (`${ChallengeName} ${Session}`) {
    case 'NEW_PASSWORD_REQUIRED first':
      pool.mustChangePassword = false
      return afterPassword()
    case 'SELECT_MFA_TYPE choosing':
      expect(given.ANSWER).toBe('SOFTWARE_TOKEN_MFA')
      return { ChallengeName: 'SOFTWARE_TOKEN_MFA' as const, Session: 'code' }
    case 'SOFTWARE_TOKEN_MFA code':
      if (!takeCode(pool.verified, given.SOFTWARE_TOKEN_MFA_CODE ?? '')) throw new CodeMismatchException(fault)
      pool.signInsWithCode++
      return tokens(true)
    case 'MFA_SETUP verified':
      return tokens(true)
    default:
      throw new NotAuthorizedException(fault)
  }
}

// Within one step of 30 seconds: a code must not change between two answers.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1, 12, 0, 10) })
})
afterEach(() => vi.useRealTimers())

beforeEach(() => {
  pool = {
    mustChangePassword: false,
    requiresFactor: false,
    offersChoice: [],
    preferred: false,
    usedCodes: new Set(),
    signInsWithCode: 0,
  }
  cognito.reset()
  cognito.on(AdminInitiateAuthCommand).callsFake(({ AuthParameters }) => {
    if (AuthParameters.PASSWORD !== password) throw new NotAuthorizedException(fault)
    return pool.mustChangePassword ? { ChallengeName: 'NEW_PASSWORD_REQUIRED', Session: 'first' } : afterPassword()
  })
  cognito.on(AdminRespondToAuthChallengeCommand).callsFake(respond)
  cognito.on(AssociateSoftwareTokenCommand).callsFake(({ AccessToken, Session }) => {
    if (AccessToken !== 'access' && Session !== 'setup') throw new NotAuthorizedException(fault)
    pool.pending = secret
    return { SecretCode: secret, ...(Session ? { Session: 'associated' } : {}) }
  })
  cognito.on(VerifySoftwareTokenCommand).callsFake(({ AccessToken, Session, UserCode }) => {
    if (AccessToken !== 'access' && Session !== 'associated') throw new NotAuthorizedException(fault)
    if (!takeCode(pool.pending, UserCode)) throw new EnableSoftwareTokenMFAException(fault)
    pool.verified = secret
    return { Status: 'SUCCESS', ...(Session ? { Session: 'verified' } : {}) }
  })
  cognito.on(SetUserMFAPreferenceCommand).callsFake(({ SoftwareTokenMfaSettings }) => {
    if (!pool.verified) throw new NotAuthorizedException(fault)
    pool.preferred = SoftwareTokenMfaSettings.Enabled && SoftwareTokenMfaSettings.PreferredMfa
  })
})

/** A person with prepared answers, and the recorded questions and messages. */
function personWith(...answers: (string | (() => string))[]) {
  const asked: string[] = []
  const shown: string[] = []
  const person = new PoolSignIn(ids, email, 'Octomil dev', {
    ask: async (label) => {
      asked.push(label)
      const next = answers.shift()
      if (next === undefined) throw new Error(`no answer to ${label}`)
      return typeof next === 'string' ? next : next()
    },
    say: (text) => shown.push(text),
  })
  return { person, asked, shown }
}

const now = () => totpCode(secret)
/** The code of the next half minute, which Cognito already accepts. */
const next = () => totpCode(secret, Date.now() + 30_000)

describe('enrolling an authenticator', () => {
  test('shows the secret in two forms, verifies a code, and signs in again with another', async () => {
    const { person, asked, shown } = personWith(password, now, next)
    const { idToken } = await person.enroll(await person.signIn())
    expect(idToken).toBe('id token of two factors')
    expect(pool).toMatchObject({ verified: secret, preferred: true, signInsWithCode: 1 })
    expect(asked).toEqual(['Password: ', 'Code that it shows: ', 'Code: '])
    expect(shown[0]).toContain(otpauthUri('Octomil dev', email, secret))
    expect(shown[0]).toContain(secret.match(/.{4}/g)?.join(' '))
  })

  test('works at the first sign-in, with the new password', async () => {
    pool.mustChangePassword = true
    const { person } = personWith(password, password, now, next)
    expect((await person.enroll(await person.signIn())).idToken).toBe('id token of two factors')
  })

  test('asks again after a wrong code, and leaves the sign-in as it was after three', async () => {
    const { person } = personWith(password, '000000', now, next)
    expect((await person.enroll(await person.signIn())).idToken).toBe('id token of two factors')
    Object.assign(pool, { preferred: false, verified: undefined, usedCodes: new Set() })
    const other = personWith(password, '000000', '111111', '222222').person
    await expect(other.enroll(await other.signIn())).rejects.toThrow(EnableSoftwareTokenMFAException)
    expect(pool.preferred).toBe(false)
  })

  test('replaces an authenticator, and first asks for a code of the existing one', async () => {
    Object.assign(pool, { verified: secret, preferred: true })
    const { person, asked } = personWith(password, next, now, () => totpCode(secret, Date.now() - 30_000))
    await person.enroll(await person.signIn())
    expect(asked).toEqual(['Password: ', 'Code: ', 'Code that it shows: ', 'Code: '])
    expect(pool.signInsWithCode).toBe(2)
  })
})

describe('a challenge of the pool', () => {
  test('MFA_SETUP is answered by enrolling, with its session', async () => {
    pool.requiresFactor = true
    const { person } = personWith(password, now)
    expect((await person.signIn()).idToken).toBe('id token of two factors')
  })

  test('SELECT_MFA_TYPE is answered with the authenticator', async () => {
    Object.assign(pool, { verified: secret, offersChoice: ['SMS_MFA', 'SOFTWARE_TOKEN_MFA'] })
    const { person, asked } = personWith(password, now)
    expect((await person.signIn()).idToken).toBe('id token of two factors')
    expect(asked).toEqual(['Password: ', 'Code: '])
  })

  test('that offers no authenticator is refused', async () => {
    pool.offersChoice = ['SMS_MFA', 'EMAIL_OTP']
    await expect(personWith(password).person.signIn()).rejects.toThrow(/takes \["SMS_MFA","EMAIL_OTP"\]/)
  })

  test('that is unsupported is named', async () => {
    cognito.on(AdminInitiateAuthCommand).resolves({ ChallengeName: 'SMS_MFA', Session: 'x' })
    await expect(personWith(password).person.signIn()).rejects.toThrow(/asks for SMS_MFA/)
  })
})

test('a wrong code does not sign in', async () => {
  Object.assign(pool, { verified: secret, preferred: true })
  await expect(personWith(password, '000000').person.signIn()).rejects.toThrow(CodeMismatchException)
})

test('the address has the format of authenticator apps', () => {
  const uri = new URL(otpauthUri('Octomil dev', 'a+b@acme.example', secret))
  expect([uri.protocol, uri.host]).toEqual(['otpauth:', 'totp'])
  expect(decodeURIComponent(uri.pathname)).toBe('/Octomil dev:a+b@acme.example')
  expect(Object.fromEntries(uri.searchParams)).toEqual({ secret, issuer: 'Octomil dev' })
})

/** RFC 6238, appendix B, for SHA-1; the secret is the ASCII text 12345678901234567890. */
test.each([
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
])('the codes of these tests are those of RFC 6238: at %i', (seconds, code) => {
  expect(totpCode('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', seconds * 1000, 8)).toBe(code)
})
