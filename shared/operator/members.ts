/**
 * What the audit trail of an org tells of what an operator does to people in the user pool. Who they are, the pool knows; a row
 * says only that the trail has told of them, so that it tells once that somebody was added, however often it is tried.
 */
import { createdFields } from '../audit/event.ts'
import type { Role } from '../auth/scopes.ts'
import { type Change, commit } from '../storage/commit.ts'
import { orgPartition } from '../table/rows.ts'
import { insert } from '../table/writes.ts'
import { type Maker, requestContext } from './orgs.ts'

export interface Member {
  /** The `sub` of their tokens, by which the trail names them as an actor too. */
  sub: string
  email: string
  role: Role
}

class AlreadyTold extends Error {}

/**
 * Tells that a member was given a first password: that they were added, or, of somebody whom the trail has told of, that
 * the password was made anew.
 */
export async function tellFirstPassword(orgId: string, member: Member, maker: Maker): Promise<void> {
  const now = new Date()
  const context = requestContext(orgId, maker, now)
  try {
    await commit(memberAdded(orgId, member, now), context, maker.deadline)
  } catch (error) {
    if (!(error instanceof AlreadyTold)) throw error
    await commit(withoutChanges('member.password_renewed', member), context, maker.deadline)
  }
}

/** Records that an operator removed a member's authenticator, so that a password alone signs in until the next enrolment. */
export async function tellAuthenticatorRemoved(orgId: string, member: Member, maker: Maker): Promise<void> {
  await commit(
    withoutChanges('member.authenticator_removed', member),
    requestContext(orgId, maker, new Date()),
    maker.deadline,
  )
}

const resourceOf = ({ sub, email }: Member): Change['resource'] => ({ type: 'member', id: sub, name: email })

const memberAdded = (orgId: string, member: Member, now: Date): Change => ({
  action: 'member.added',
  resource: resourceOf(member),
  result: 'success',
  changes: createdFields(member, ['email', 'role']),
  writes: [
    insert(
      { pk: orgPartition(orgId), sk: `MEMBER#${member.sub}`, added_at: now.toISOString() },
      () => new AlreadyTold('the trail has told that this member was added'),
    ),
  ],
})

const withoutChanges = (
  action: 'member.password_renewed' | 'member.authenticator_removed',
  member: Member,
): Change => ({
  action,
  resource: resourceOf(member),
  result: 'success',
  changes: [],
  writes: [],
})
