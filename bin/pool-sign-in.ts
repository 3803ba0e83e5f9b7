/** Signs a person in to a user pool with the caller's AWS credentials, and enrols an authenticator. */
import {
  AdminInitiateAuthCommand,
  type AdminInitiateAuthCommandOutput,
  AdminRespondToAuthChallengeCommand,
  AssociateSoftwareTokenCommand,
  CodeMismatchException,
  CognitoIdentityProviderClient,
  EnableSoftwareTokenMFAException,
  SetUserMFAPreferenceCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider'
import { lazy } from '../shared/lazy.ts'
import { UsageError } from './usage.ts'
import type { PoolIds } from './user-pool.ts'

/** The person at the terminal: answers questions and reads messages. */
export interface Dialog {
  ask(label: string): Promise<string>
  say(text: string): void
}

export interface SignedIn {
  idToken: string
  accessToken: string
  /** The current password, after a change. */
  password: string
}

type Challenge = AdminInitiateAuthCommandOutput & { ChallengeName: string }

/** New password, choice of a factor, code or enrolment: a sign-in needs no more. */
const maxChallenges = 4
const maxWrongCodes = 3

const cognito = lazy(() => new CognitoIdentityProviderClient({}))

export class PoolSignIn {
  readonly #pool: PoolIds
  readonly #email: string
  /** Shown in the authenticator app beside the address. */
  readonly #issuer: string
  readonly #dialog: Dialog

  constructor(pool: PoolIds, email: string, issuer: string, dialog: Dialog) {
    this.#pool = pool
    this.#email = email
    this.#issuer = issuer
    this.#dialog = dialog
  }

  /** @throws UsageError for an unsupported challenge */
  async signIn(known?: { password: string }): Promise<SignedIn> {
    let password = known?.password ?? (await this.#dialog.ask('Password: '))
    let answer = await cognito().send(
      new AdminInitiateAuthCommand({
        ...this.#pool,
        AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: this.#email, PASSWORD: password },
      }),
    )
    for (let count = 0; isChallenge(answer) && count < maxChallenges; count++) {
      const { responses, session } = await this.#respond(answer)
      password = responses.NEW_PASSWORD ?? password
      const USERNAME = answer.ChallengeParameters?.USER_ID_FOR_SRP ?? this.#email
      answer = await cognito().send(
        new AdminRespondToAuthChallengeCommand({
          ...this.#pool,
          ChallengeName: answer.ChallengeName,
          Session: session,
          ChallengeResponses: { USERNAME, ...responses },
        }),
      )
    }
    const { IdToken: idToken, AccessToken: accessToken } = answer.AuthenticationResult ?? {}
    if (!idToken || !accessToken) throw new UsageError('The user pool did not complete the sign-in.')
    return { idToken, accessToken, password }
  }

  /**
   * Enrols an authenticator for a person who has signed in, and signs them in again with its code, so that the ID token names
   * the second factor. Cognito replaces an earlier authenticator once the new one is verified.
   */
  async enroll({ accessToken: AccessToken, password }: SignedIn): Promise<SignedIn> {
    await this.#verify({ AccessToken })
    await cognito().send(
      new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }),
    )
    this.#dialog.say('The authenticator is set up. Cognito accepts each code once: wait for the next one.')
    return await this.signIn({ password })
  }

  async #respond({ ChallengeName, Session, ChallengeParameters }: Challenge): Promise<{
    responses: Record<string, string>
    session: string | undefined
  }> {
    const { ask } = this.#dialog
    switch (ChallengeName) {
      case 'NEW_PASSWORD_REQUIRED': {
        const label = 'New password (12 characters, small and capital letters, a digit, a symbol): '
        return { responses: { NEW_PASSWORD: await ask(label) }, session: Session }
      }
      case 'SOFTWARE_TOKEN_MFA':
        return { responses: { SOFTWARE_TOKEN_MFA_CODE: await ask('Code: ') }, session: Session }
      case 'SELECT_MFA_TYPE':
        requireOffered(ChallengeParameters?.MFAS_CAN_CHOOSE)
        return { responses: { ANSWER: totp }, session: Session }
      case 'MFA_SETUP':
        requireOffered(ChallengeParameters?.MFAS_CAN_SETUP)
        return { responses: {}, session: await this.#verify({ Session }) }
      default:
        throw new UsageError(`The user pool asks for ${ChallengeName}, which this command cannot answer.`)
    }
  }

  /** Shows a new secret and verifies its first code. Returns the session that continues an MFA_SETUP challenge. */
  async #verify(proof: { AccessToken: string } | { Session: string | undefined }): Promise<string | undefined> {
    const { SecretCode, Session } = await cognito().send(new AssociateSoftwareTokenCommand(proof))
    if (!SecretCode) throw new UsageError('The user pool returned no secret for an authenticator.')
    this.#dialog.say(enrolmentText(this.#issuer, this.#email, SecretCode))
    const next = 'AccessToken' in proof ? proof : { Session }
    for (let wrong = 0; ; wrong++) {
      const UserCode = await this.#dialog.ask('Code that it shows: ')
      try {
        return (await cognito().send(new VerifySoftwareTokenCommand({ ...next, UserCode }))).Session
      } catch (error) {
        if (!isWrongCode(error) || wrong + 1 === maxWrongCodes) throw error
        this.#dialog.say('The code is wrong. Check the clock of the device, and enter the code that it shows now.')
      }
    }
  }
}

const totp = 'SOFTWARE_TOKEN_MFA'

const isChallenge = (answer: AdminInitiateAuthCommandOutput): answer is Challenge => answer.ChallengeName !== undefined

/** Cognito's errors for a wrong code. */
export const isWrongCode = (error: unknown): error is Error =>
  error instanceof EnableSoftwareTokenMFAException || error instanceof CodeMismatchException

/** A parameter of the challenge: a JSON list of factors. */
function requireOffered(factors = `["${totp}"]`): void {
  if (!factors.includes(totp)) throw new UsageError(`The user pool takes ${factors}, and no authenticator app.`)
}

function enrolmentText(issuer: string, email: string, secret: string): string {
  const groups = secret.match(/.{1,4}/g)?.join(' ')
  return `Add this account to an authenticator app, by its address or by typing the secret:\n\n  ${otpauthUri(issuer, email, secret)}\n\n  ${groups}\n`
}

/** The otpauth address for authenticator apps: https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
export function otpauthUri(issuer: string, account: string, secret: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`
}
