/**
 * Audit events of operator commands on people in the user pool. The pool stores the people. A row only marks that the
 * trail has recorded a member, so that repeated commands record the addition once.
 */
import { createdFields } from '../audit/event.ts'
import type { Role } from '../auth/scopes.ts'
import { commit, type Mutation } from '../storage/commit.ts'
import { orgPartition } from '../table/rows.ts'
import { insert } from '../table/writes.ts'
import { type Maker, requestContext } from './orgs.ts'

export interface Member {
  /** The `sub` of their tokens; the trail also uses it as the actor id. */
  sub: string
  email: string
  role: Role
}

class AlreadyTold extends Error {}

/** Records that a member got a first password. For a member whom the trail already has, records a renewed password. */
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

/**
 * Records that an operator removed a member's authenticator. The member then signs in with a password alone until the
 * next enrolment.
 */
export async function tellAuthenticatorRemoved(orgId: string, member: Member, maker: Maker): Promise<void> {
  await commit(
    withoutChanges('member.authenticator_removed', member),
    requestContext(orgId, maker, new Date()),
    maker.deadline,
  )
}

const resourceOf = ({ sub, email }: Member): Mutation['resource'] => ({ type: 'member', id: sub, name: email })

const memberAdded = (orgId: string, member: Member, now: Date): Mutation => ({
  action: 'member.added',
  resource: resourceOf(member),
  result: 'success',
  diff: createdFields(member, ['email', 'role']),
  writes: [
    insert(
      { pk: orgPartition(orgId), sk: `MEMBER#${member.sub}`, added_at: now.toISOString() },
      () => new AlreadyTold('the trail has already recorded this member'),
    ),
  ],
})

const withoutChanges = (
  action: 'member.password_renewed' | 'member.authenticator_removed',
  member: Member,
): Mutation => ({
  action,
  resource: resourceOf(member),
  result: 'success',
  diff: [],
  writes: [],
})
