/**
 * A second factor from enrolment to loss: a person sets up an authenticator with `npm run sign-in`, requires one of their
 * organization, is let in with its code alone, loses it, and has an operator remove it.
 */
import { strict as assert } from 'node:assert'
import {
  AdminInitiateAuthCommand,
  AdminRespondToAuthChallengeCommand,
  CognitoIdentityProviderClient,
} from '@aws-sdk/client-cognito-identity-provider'
import { secondFactorClaim } from '../../shared/auth/second-factor.ts'
import { httpTo } from '../http/target.ts'
import { totpCode } from '../support/totp.ts'
import { command, type Deployed, poolOf, signIn } from './command.ts'
import { clientOf } from './emulator.ts'

interface Person {
  email: string
  password: string
}

/** `member` belongs to the organization of `owner`; neither has an authenticator. */
export async function proveSecondFactor(deployed: Deployed, owner: Person, member: Person): Promise<void> {
  const alone = (await signIn(deployed, owner.email, [owner.password])).stdout.trim()
  const locked = await patch(deployed, alone, { mfa_required: true })
  assert.equal(locked.status, 409, 'a person without a second factor must not lock themselves out')
  assert.match(locked.body.detail, /--enroll-totp/)
  const { secret, token } = await enroll(deployed, owner)
  assert.equal(claimsOf(token)[secondFactorClaim], 'totp')
  assert.equal((await patch(deployed, token, { mfa_required: true })).status, 200)
  assert.equal((await policies(deployed, token)).status, 200, 'the code of an authenticator lets its owner in')
  await proveRefused(deployed, member)
  const codes = [owner.password, totpCode(secret)]
  const again = await signIn(deployed, owner.email, codes)
  assert.equal((await policies(deployed, again.stdout.trim())).status, 200, again.stderr)
  assert.equal((await signIn(deployed, owner.email, [owner.password, '000000'])).code, 1, 'a wrong code signs in')
  await proveRefreshIsNoProof(deployed, owner, secret)
  await proveReset(deployed, owner)
  console.log(`${owner.email} enrolled an authenticator, lost it, and enrolled another`)
}

/** A password alone signs in, with the way in on stderr; the API refuses the token. */
async function proveRefused(deployed: Deployed, { email, password }: Person): Promise<void> {
  const { stdout, stderr } = await signIn(deployed, email, [password])
  assert.match(stderr, /The API refuses this token: .*--enroll-totp/)
  const refused = await policies(deployed, stdout.trim())
  assert.equal(refused.status, 403)
  assert.match(refused.body.detail, /mfa_required.*--enroll-totp/)
}

async function proveRefreshIsNoProof(deployed: Deployed, { email, password }: Person, secret: string): Promise<void> {
  const cognito = clientOf(CognitoIdentityProviderClient, deployed.emulator)
  const pool = poolOf(deployed)
  const start = (AuthFlow: 'ADMIN_USER_PASSWORD_AUTH' | 'REFRESH_TOKEN_AUTH', AuthParameters: Record<string, string>) =>
    cognito.send(new AdminInitiateAuthCommand({ ...pool, AuthFlow, AuthParameters }))
  const { Session } = await start('ADMIN_USER_PASSWORD_AUTH', { USERNAME: email, PASSWORD: password })
  const ChallengeResponses = { USERNAME: email, SOFTWARE_TOKEN_MFA_CODE: totpCode(secret) }
  const { AuthenticationResult: first } = await cognito.send(
    new AdminRespondToAuthChallengeCommand({
      ...pool,
      ChallengeName: 'SOFTWARE_TOKEN_MFA',
      Session,
      ChallengeResponses,
    }),
  )
  assert.equal((await policies(deployed, first?.IdToken ?? '')).status, 200)
  const { AuthenticationResult } = await start('REFRESH_TOKEN_AUTH', { REFRESH_TOKEN: first?.RefreshToken ?? '' })
  assert.equal((await policies(deployed, AuthenticationResult?.IdToken ?? '')).status, 403)
}

async function proveReset(deployed: Deployed, owner: Person): Promise<void> {
  const reset = await command(deployed.emulator, 'bootstrap', [
    '--stage',
    deployed.stage,
    '--reset-factor',
    owner.email,
  ])
  assert.equal(reset.code, 0, reset.stderr)
  assert.equal(JSON.parse(reset.stdout).email, owner.email)
  const alone = (await signIn(deployed, owner.email, [owner.password])).stdout.trim()
  assert.equal((await policies(deployed, alone)).status, 403, 'a removed authenticator proves nothing')
  const { token } = await enroll(deployed, owner)
  assert.equal((await policies(deployed, token)).status, 200)
  assert.equal((await patch(deployed, token, { mfa_required: false })).status, 200)
}

/** Sets up an authenticator as a person would: reads the secret that is shown, and types the codes of it. */
async function enroll({ emulator, stage }: Deployed, { email, password }: Person) {
  let secret = ''
  const { code, stdout, stderr } = await command(
    emulator,
    'sign-in',
    ['--stage', stage, '--email', email, '--enroll-totp'],
    [password],
    (shown) => {
      if (secret || !shown.includes('Code that it shows: ')) return []
      secret = shown.match(/secret=([A-Z2-7]+)/)?.[1] ?? ''
      return [totpCode(secret), totpCode(secret, Date.now() + 30_000)]
    },
  )
  assert.equal(code, 0, stderr)
  return { secret, token: stdout.trim() }
}

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** A function that has not read the organization's settings before: it would know them for a minute. */
const policies = ({ api }: Deployed, token: string) => httpTo(api, 'GET', '/api/v2/settings/policies', { token })

const patch = ({ api }: Deployed, token: string, body: object) =>
  httpTo(api, 'PATCH', '/api/v2/settings', { token, body })
