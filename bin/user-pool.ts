/** Finds and adds people in a stage's user pool, with the caller's AWS credentials. */
import { randomBytes } from 'node:crypto'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  type AdminGetUserCommandOutput,
  AdminSetUserMFAPreferenceCommand,
  AdminSetUserPasswordCommand,
  AdminUserGlobalSignOutCommand,
  type AttributeType,
  CognitoIdentityProviderClient,
  UserNotFoundException,
  UsernameExistsException,
} from '@aws-sdk/client-cognito-identity-provider'
import { outputNames } from '../lib/stage.ts'
import { userAttributes } from '../lib/user-attributes.ts'
import { isRole, type Role } from '../shared/auth/scopes.ts'
import { tellAuthenticatorRemoved, tellFirstPassword } from '../shared/operator/members.ts'
import type { Maker } from '../shared/operator/orgs.ts'
import { outputsOf, UsageError } from './command.ts'

export interface PoolIds {
  UserPoolId: string
  ClientId: string
}

export interface Person {
  email: string
  orgId: string
  role: Role
}

/** The user pool of a stage, or undefined if it has none. */
export async function findUserPool(stage: string): Promise<PoolIds | undefined> {
  const outputs = await outputsOf(stage, 'Identity')
  const UserPoolId = outputs?.[outputNames.userPoolId]
  const ClientId = outputs?.[outputNames.userPoolClientId]
  return UserPoolId && ClientId ? { UserPoolId, ClientId } : undefined
}

/** @throws UsageError if the address is in the pool already */
export async function requireUnknown(pool: PoolIds, email: string): Promise<void> {
  const known = await find(pool, email)
  if (known) throw belongsElsewhere(email, known)
}

/** A person with a first password. */
export interface Admitted {
  /** The person's id (`sub`) in the pool and in tokens. */
  sub: string
  password: string
}

/**
 * Adds a person to the pool and returns the first password. Repeating it before the first sign-in renews the password, in case it
 * is lost or expired.
 *
 * @throws UsageError for a person of another organization or role, or one who has signed in
 */
async function admit(pool: PoolIds, person: Person): Promise<Admitted> {
  const { email, orgId, role } = person
  const TemporaryPassword = newPassword()
  try {
    const { User } = await new CognitoIdentityProviderClient({}).send(
      new AdminCreateUserCommand({
        UserPoolId: pool.UserPoolId,
        Username: email,
        TemporaryPassword,
        // Cognito's mails are limited and look like spam. The operator passes the password on.
        MessageAction: 'SUPPRESS',
        UserAttributes: [
          { Name: 'email', Value: email },
          // The operator vouches for the address. Without it a forgotten password cannot be reset.
          { Name: 'email_verified', Value: 'true' },
          { Name: userAttributes.org, Value: orgId },
          { Name: userAttributes.role, Value: role },
        ],
      }),
    )
    return { sub: attributeOf(User?.Attributes, 'sub'), password: TemporaryPassword }
  } catch (error) {
    if (!(error instanceof UsernameExistsException)) throw error
    return await renew(pool, person)
  }
}

/**
 * Adds a person or renews the first password, and records it in the organization's audit trail. The pool comes first: an event must
 * not record an action that failed. The password is returned last: if the event fails, the password stays unknown, and a repeated run
 * completes both.
 */
export async function addPerson(pool: PoolIds, person: Person, maker: Maker): Promise<string> {
  const { sub, password } = await admit(pool, person)
  await tellFirstPassword(person.orgId, { sub, email: person.email, role: person.role }, maker)
  return password
}

/**
 * Removes a person's lost authenticator, ends the sessions, and records it in the organization's audit trail. The pool comes first, as
 * in `addPerson`. If the event fails, a repeated run completes it.
 *
 * @throws UsageError for an address outside the pool
 */
export async function removeAuthenticator(pool: PoolIds, email: string, maker: Maker): Promise<Person> {
  const found = await find(pool, email)
  if (!found || !isRole(found.role)) throw new UsageError(`${email} is not in this stage's user pool.`)
  const { sub, orgId, role } = found
  const user = { UserPoolId: pool.UserPoolId, Username: email }
  const client = new CognitoIdentityProviderClient({})
  await client.send(
    new AdminSetUserMFAPreferenceCommand({
      ...user,
      SoftwareTokenMfaSettings: { Enabled: false, PreferredMfa: false },
    }),
  )
  // The lost device may hold a session.
  await client.send(new AdminUserGlobalSignOutCommand(user))
  await tellAuthenticatorRemoved(orgId, { sub, email, role }, maker)
  return { email, orgId, role }
}

async function renew(pool: PoolIds, { email, orgId, role }: Person): Promise<Admitted> {
  const known = await find(pool, email)
  if (!known || known.orgId !== orgId || known.role !== role) throw belongsElsewhere(email, known)
  if (known.status !== 'FORCE_CHANGE_PASSWORD') {
    throw new UsageError(`${email} has signed in before, as ${role} of ${orgId}: nothing was changed.`)
  }
  const Password = newPassword()
  await new CognitoIdentityProviderClient({}).send(
    new AdminSetUserPasswordCommand({ UserPoolId: pool.UserPoolId, Username: email, Password, Permanent: false }),
  )
  return { sub: known.sub, password: Password }
}

interface Known {
  sub: string
  orgId: string
  role: string
  status: string | undefined
}

async function find({ UserPoolId }: PoolIds, email: string): Promise<Known | undefined> {
  try {
    return known(
      await new CognitoIdentityProviderClient({}).send(new AdminGetUserCommand({ UserPoolId, Username: email })),
    )
  } catch (error) {
    if (error instanceof UserNotFoundException) return undefined
    throw error
  }
}

function known({ UserAttributes = [], UserStatus }: AdminGetUserCommandOutput): Known {
  const attribute = (name: string) => attributeOf(UserAttributes, name)
  return {
    sub: attribute('sub'),
    orgId: attribute(userAttributes.org),
    role: attribute(userAttributes.role),
    status: UserStatus,
  }
}

const attributeOf = (attributes: readonly AttributeType[] = [], name: string): string =>
  attributes.find(({ Name }) => Name === name)?.Value ?? ''

const belongsElsewhere = (email: string, { role, orgId }: Partial<Known> = {}) =>
  new UsageError(
    `${email} is in this stage's user pool already, as ${role || 'a person without a role'} of ${orgId || 'no organization'}. One address belongs to one organization: use another (you+acme@example.com works with most providers).`,
  )

/** 144 random bits, and one character of each kind that the pool requires. */
const newPassword = (): string => `${randomBytes(18).toString('base64url')}aA1-`
