/** The row that names an organization. */
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition } from '../table/rows.ts'

export interface Org {
  id: string
  name: string
  owner_email: string
  created_at: string
}

export async function findOrg(orgId: string): Promise<Org | undefined> {
  return fromRow<Org>(await getRow({ pk: orgPartition(orgId), sk: 'ORG' }))
}
