/** The row that names an organization. */
import { getRow } from '../table/read.ts'
import { orgPartition } from '../table/rows.ts'

export interface Org {
  id: string
  name: string
  owner_email: string
  created_at: string
}

export async function findOrg(orgId: string): Promise<Org | undefined> {
  const row = await getRow({ pk: orgPartition(orgId), sk: 'ORG' })
  if (!row) return undefined
  const { pk: _pk, sk: _sk, ...org } = row
  return org as unknown as Org
}
