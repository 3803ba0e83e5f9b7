/** A person added to the user pool is in the organization's audit trail before the password is returned. */

import { randomUUID } from 'node:crypto'
import {
  AdminCreateUserCommand,
  AdminGetUserCommand,
  AdminSetUserMFAPreferenceCommand,
  AdminSetUserPasswordCommand,
  AdminUserGlobalSignOutCommand,
  type AttributeType,
  CognitoIdentityProviderClient,
  UserNotFoundException,
  UsernameExistsException,
} from '@aws-sdk/client-cognito-identity-provider'
import { beforeEach, describe, expect, test } from 'vitest'
import { UsageError } from '../../bin/command.ts'
import { addPerson, type Person, removeAuthenticator } from '../../bin/user-pool.ts'
import { interceptTable, type TableCall } from '../support/faults.ts'
import { eventsOf, expectWholeChain, trailEnd } from '../support/governance.ts'
import { invoke } from '../support/invoke.ts'
import { mockClientHere } from '../support/mock-client.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { allRows, rowsOf } from '../support/rows.ts'

interface User {
  attributes: AttributeType[]
  status: 'FORCE_CHANGE_PASSWORD' | 'CONFIRMED'
  password: string | undefined
  authenticator?: boolean
  signedOut?: boolean
}

const pool = { UserPoolId: 'us-east-1_test', ClientId: 'client' }
const email = 'ada@acme.example'
const cognito = mockClientHere(CognitoIdentityProviderClient)
let users: Map<string, User>
let org: TestOrg

const fault = { message: 'a fault of the test', $metadata: {} }

/** The pool's user with that name. */
function userOf(name: string | undefined): User {
  const user = users.get(name ?? '')
  if (!user) throw new UserNotFoundException(fault)
  return user
}

beforeEach(async () => {
  org = await makeBusyOrg()
  users = new Map()
  cognito.reset()
  cognito.on(AdminCreateUserCommand).callsFake(({ Username, UserAttributes, TemporaryPassword }) => {
    if (users.has(Username)) throw new UsernameExistsException(fault)
    const attributes = [{ Name: 'sub', Value: randomUUID() }, ...UserAttributes]
    users.set(Username, { attributes, status: 'FORCE_CHANGE_PASSWORD', password: TemporaryPassword })
    return { User: { Attributes: attributes } }
  })
  cognito.on(AdminGetUserCommand).callsFake(({ Username }) => {
    const { attributes, status } = userOf(Username)
    return { UserAttributes: attributes, UserStatus: status }
  })
  cognito.on(AdminSetUserPasswordCommand).callsFake(({ Username, Password }) => {
    userOf(Username).password = Password
  })
  cognito.on(AdminSetUserMFAPreferenceCommand).callsFake(({ Username, SoftwareTokenMfaSettings }) => {
    userOf(Username).authenticator = SoftwareTokenMfaSettings.Enabled
  })
  cognito.on(AdminUserGlobalSignOutCommand).callsFake(({ Username }) => {
    userOf(Username).signedOut = true
  })
})

const add = (person: Partial<Person> = {}) =>
  addPerson(pool, { email, orgId: org.orgId, role: 'member', ...person }, maker())
const maker = () => ({ name: 'bootstrap', requestId: randomUUID(), deadline: new Date(Date.now() + 10_000) })
const subOf = (name = email) => userOf(name).attributes.find(({ Name }) => Name === 'sub')?.Value
const told = async (): Promise<string[]> => {
  const { body } = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '100' } })
  return body.data
    .map(({ action }: { action: string }) => action)
    .filter((action: string) => action.startsWith('member.'))
    .reverse()
}

const ofEvent = ({ command, rows }: TableCall) =>
  command === 'TransactWriteItemsCommand' && rows.some((row) => row.includes('EVENT#'))

/** Runs while events cannot be written. */
const withBrokenTrail = <T>(run: () => Promise<T>) =>
  interceptTable((call, send) => {
    if (ofEvent(call)) throw new Error('a fault of the test')
    return send()
  }, run)

describe('a person who is added', () => {
  test.each(['member', 'owner'] as const)('as %s is recorded in a valid chain', async (role) => {
    const password = await add({ role })
    expect(password).toBe(userOf(email).password)
    expect(await eventsOf(org, 'member.added')).toEqual([
      expect.objectContaining({
        actor: { type: 'system', id: 'bootstrap' },
        resource: { type: 'member', id: subOf(), name: email },
        result: 'success',
        changes: [
          { field: 'email', after: email },
          { field: 'role', after: role },
        ],
      }),
    ])
    await expectWholeChain(org)
  })

  test('is found in the trail by the sub of the tokens', async () => {
    await add()
    await add({ email: 'grace@acme.example' })
    const query = { resource_id: subOf('grace@acme.example') ?? '' }
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query })
    expect(body.data.map(({ resource }: { resource: object }) => resource)).toEqual([
      { type: 'member', id: query.resource_id, name: 'grace@acme.example' },
    ])
  })

  test('is recorded with each renewed first password, and as added once', async () => {
    const passwords = [await add(), await add(), await add()]
    expect(new Set(passwords).size).toBe(3)
    expect(await told()).toEqual(['member.added', 'member.password_renewed', 'member.password_renewed'])
    const [renewed] = await eventsOf(org, 'member.password_renewed')
    expect(renewed).toMatchObject({ resource: { type: 'member', id: subOf(), name: email }, changes: [] })
    await expectWholeChain(org)
    const rows = JSON.stringify(await allRows())
    for (const password of passwords) expect(rows).not.toContain(password)
  })

  test('by two concurrent calls is recorded as added once', async () => {
    const passwords = await Promise.all([add(), add()])
    expect((await told()).sort()).toEqual(['member.added', 'member.password_renewed'])
    expect(passwords).toContain(userOf(email).password)
  })
})

describe('when one of the two systems fails', () => {
  test('the trail: the password is not returned, and a repetition records the person', async () => {
    await expect(withBrokenTrail(add)).rejects.toThrow('a fault of the test')
    expect(await told()).toEqual([])
    const unknownToAll = userOf(email).password
    const password = await add()
    expect(password).not.toBe(unknownToAll)
    expect(userOf(email).password).toBe(password)
    expect(await told()).toEqual(['member.added'])
    expect(await rowsOf(org.orgId, 'MEMBER#')).toHaveLength(1)
  })

  test('the trail, during a password renewal: the old password is invalid, and a repetition records a new one', async () => {
    const first = await add()
    await expect(withBrokenTrail(add)).rejects.toThrow('a fault of the test')
    expect(userOf(email).password).not.toBe(first)
    expect(await add()).toBe(userOf(email).password)
    expect(await told()).toEqual(['member.added', 'member.password_renewed'])
  })

  test('the pool: no event is recorded', async () => {
    const end = await trailEnd(org)
    cognito.on(AdminCreateUserCommand).rejects(new Error('a fault of the test'))
    await expect(add()).rejects.toThrow('a fault of the test')
    expect(await trailEnd(org)).toBe(end)
  })
})

test('does not touch members who have signed in or belong to another org', async () => {
  await add()
  const end = await trailEnd(org)
  await expect(add({ role: 'owner' })).rejects.toThrow(UsageError)
  await expect(add({ orgId: (await makeBusyOrg()).orgId })).rejects.toThrow(UsageError)
  userOf(email).status = 'CONFIRMED'
  await expect(add()).rejects.toThrow(/has signed in before/)
  expect(await trailEnd(org)).toBe(end)
})

describe('removing a lost authenticator', () => {
  beforeEach(async () => {
    await add({ role: 'owner' })
    Object.assign(userOf(email), { status: 'CONFIRMED', authenticator: true })
  })
  const remove = () => removeAuthenticator(pool, email, maker())

  test('allows sign-in with the password only, ends every session, and is recorded in a valid chain', async () => {
    expect(await remove()).toEqual({ email, orgId: org.orgId, role: 'owner' })
    expect(userOf(email)).toMatchObject({ authenticator: false, signedOut: true })
    expect(await eventsOf(org, 'member.authenticator_removed')).toEqual([
      expect.objectContaining({
        actor: { type: 'system', id: 'bootstrap' },
        resource: { type: 'member', id: subOf(), name: email },
        result: 'success',
      }),
    ])
    await expectWholeChain(org)
  })

  test('is completed by the same command if the trail fails', async () => {
    await expect(withBrokenTrail(remove)).rejects.toThrow('a fault of the test')
    expect(await told()).toEqual(['member.added'])
    await remove()
    expect(await told()).toEqual(['member.added', 'member.authenticator_removed'])
  })

  test('is not recorded if the pool refuses it', async () => {
    cognito.on(AdminSetUserMFAPreferenceCommand).rejects(new Error('a fault of the test'))
    await expect(remove()).rejects.toThrow('a fault of the test')
    expect(await told()).toEqual(['member.added'])
  })

  test('for an unknown address is refused', async () => {
    await expect(removeAuthenticator(pool, 'ada@elsewhere.example', maker())).rejects.toThrow(/is not in this stage's/)
  })
})
