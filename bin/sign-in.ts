/**
 * `npm run sign-in`: signs a person in to the user pool of a deployed stage, asks for whatever is missing, and prints the
 * ID token, for trying the API as that person. Nothing else goes to stdout.
 */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import {
  AdminInitiateAuthCommand,
  type AdminInitiateAuthCommandOutput,
  AdminRespondToAuthChallengeCommand,
  CodeMismatchException,
  CognitoIdentityProviderClient,
  InvalidPasswordException,
  NotAuthorizedException,
} from '@aws-sdk/client-cognito-identity-provider'
import { isEmailAddress } from '../shared/http/email.ts'
import { requireStage, runCommand, UsageError } from './command.ts'
import { findUserPool, type PoolIds } from './user-pool.ts'

const usage = `Usage: npm run -s sign-in -- --stage dev --email you@example.com

  --stage  the stage that was deployed (default dev)
  --email  the address of somebody in its user pool

It asks for the password, at the first sign-in for a new one, and for the code of an authenticator where one is set up;
without a terminal it reads them from stdin, a line each.`

/** Password, new password, code: no sign-in takes more. */
const mostChallenges = 3

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { stage: { type: 'string', default: 'dev' }, email: { type: 'string', default: '' } },
  })
  if (!isEmailAddress(values.email)) throw new UsageError('--email must be an e-mail address.')
  const pool = await findUserPool(requireStage(values.stage))
  if (!pool) {
    throw new UsageError(
      `Stage ${values.stage} has no user pool here: it is not deployed, or its people sign in with an issuer of their own.`,
    )
  }
  const { ask, close } = prompter()
  try {
    console.log(await signIn(pool, values.email, ask))
  } catch (error) {
    throw expected(error)
  } finally {
    close()
  }
}

async function signIn(pool: PoolIds, email: string, ask: (label: string) => Promise<string>): Promise<string> {
  const client = new CognitoIdentityProviderClient({})
  let answer: AdminInitiateAuthCommandOutput = await client.send(
    new AdminInitiateAuthCommand({
      ...pool,
      AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: email, PASSWORD: await ask('Password: ') },
    }),
  )
  for (let count = 0; answer.ChallengeName && count < mostChallenges; count++) {
    const { ChallengeName, Session, ChallengeParameters } = answer
    const USERNAME = ChallengeParameters?.USER_ID_FOR_SRP ?? email
    const ChallengeResponses = { USERNAME, ...(await respond(ChallengeName, ask)) }
    answer = await client.send(
      new AdminRespondToAuthChallengeCommand({ ...pool, ChallengeName, Session, ChallengeResponses }),
    )
  }
  const token = answer.AuthenticationResult?.IdToken
  if (!token) throw new UsageError('The user pool did not complete the sign-in.')
  return token
}

async function respond(challenge: string, ask: (label: string) => Promise<string>): Promise<Record<string, string>> {
  if (challenge === 'NEW_PASSWORD_REQUIRED') {
    return { NEW_PASSWORD: await ask('New password (12 characters, small and capital letters, a digit, a symbol): ') }
  }
  if (challenge === 'SOFTWARE_TOKEN_MFA') return { SOFTWARE_TOKEN_MFA_CODE: await ask('Code: ') }
  throw new UsageError(`The user pool asks for ${challenge}, which this command cannot answer.`)
}

/** Asks on stderr and reads stdin; what is typed at a terminal is not shown. */
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
      if (done) throw new UsageError('stdin ended before everything that was asked for.')
      return value
    },
    close: () => reader.close(),
  }
}

/** Cognito's refusals as a person can act on them; anything else as it came. */
function expected(error: unknown): unknown {
  if (error instanceof NotAuthorizedException) {
    return new UsageError(
      `${error.message} A first password that was lost or is older than three days: npm run bootstrap -- --another-person.`,
    )
  }
  if (error instanceof InvalidPasswordException || error instanceof CodeMismatchException) {
    return new UsageError(error.message)
  }
  return error
}

runCommand(main, usage)
