/**
 * `npm run sign-in`: signs a person in to the user pool of a deployed stage, asks for missing input, and prints the ID token, to
 * call the API as that person. Nothing else goes to stdout.
 */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import {
  ExpiredCodeException,
  InvalidPasswordException,
  NotAuthorizedException,
} from '@aws-sdk/client-cognito-identity-provider'
import { outputNames } from '../lib/stage.ts'
import { userAttributes } from '../lib/user-attributes.ts'
import { isRole } from '../shared/auth/scopes.ts'
import { provesSecondFactor } from '../shared/auth/second-factor.ts'
import { isEmailAddress } from '../shared/email.ts'
import { factorFault } from '../shared/org-settings/access-rules.ts'
import { readOrgSettings } from '../shared/org-settings/entity.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'
import { type Dialog, isWrongCode, PoolSignIn } from './pool-sign-in.ts'
import { findUserPool } from './user-pool.ts'

const usage = `Usage: npm run -s sign-in -- --stage dev --email you@example.com [--enroll-totp]

  --stage        the deployed stage (default dev)
  --email        the address of a person in its user pool
  --enroll-totp  set up an authenticator app, or replace the existing one

It asks for the password, for a new password at the first sign-in, and for the code of an enrolled authenticator.
Without a terminal it reads them from stdin, one per line.`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      email: { type: 'string', default: '' },
      'enroll-totp': { type: 'boolean', default: false },
    },
  })
  const { email } = values
  if (!isEmailAddress(email)) throw new UsageError('--email must be an e-mail address.')
  const stage = requireStage(values.stage)
  const pool = await findUserPool(stage)
  if (!pool) {
    throw new UsageError(`Stage ${stage} has no user pool here: it is not deployed, or it uses another issuer.`)
  }
  const { close, ...dialog } = prompter()
  try {
    const person = new PoolSignIn(pool, email, `Octomil ${stage}`, dialog)
    const first = await person.signIn()
    const { idToken } = values['enroll-totp'] ? await person.enroll(first) : first
    await offerEnrolment(stage, idToken, dialog)
    console.log(idToken)
  } catch (error) {
    throw expected(error)
  } finally {
    close()
  }
}

/** Explains how to enrol, if the API would refuse this token for lack of a second factor. */
async function offerEnrolment(stage: string, idToken: string, { say }: Dialog): Promise<void> {
  const claims: Record<string, unknown> = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
  const { [userAttributes.org]: orgId, [userAttributes.role]: role } = claims
  if (typeof orgId !== 'string' || !isRole(role)) return
  const tableName = (await outputsOf(stage, 'Storage'))?.[outputNames.tableName]
  if (!tableName) return
  process.env[environmentNames.tableName] = tableName
  // Only a hint: a caller without access to the table still gets the token.
  const settings = await readOrgSettings(orgId).catch(() => undefined)
  const fault = settings && factorFault({ usedMfa: provesSecondFactor(claims), role }, settings.value)
  if (fault) say(`The API refuses this token: ${fault}`)
}

/** Asks on stderr and reads stdin, without echo on a terminal. */
function prompter() {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: unseen, terminal: process.stdin.isTTY })
  reader.on('SIGINT', () => process.exit(130))
  const lines = reader[Symbol.asyncIterator]()
  return {
    ask: async (label: string): Promise<string> => {
      process.stderr.write(label)
      const { value, done } = await lines.next()
      process.stderr.write('\n')
      if (done) throw new UsageError('stdin ended before all answers were read.')
      return value
    },
    say: (text: string) => console.error(text),
    close: () => reader.close(),
  }
}

/** Cognito's refusals with the fix; other errors unchanged. */
function expected(error: unknown): unknown {
  if (error instanceof NotAuthorizedException) {
    return new UsageError(
      `${error.message} If the first password is lost or older than three days: npm run bootstrap -- --another-person.`,
    )
  }
  if (isWrongCode(error) || error instanceof InvalidPasswordException || error instanceof ExpiredCodeException) {
    return new UsageError(error.message)
  }
  return error
}

runCommand(main, usage)
