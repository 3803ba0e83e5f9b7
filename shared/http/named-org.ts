/** The organization that a request names in `org_id`. Public functions load this file, so it reads no table. */
import type { InputFault } from '../problem.ts'
import type { Exchange } from './exchange.ts'
import type { Operation } from './operation.ts'

export const namedOrgOf = ({ pathParameters, query }: Exchange): string | undefined =>
  pathParameters.org_id ?? query.org_id

/** The fault of a service key's request that must name an organization and does not. */
export const missingOrgFaults = ({ orgMayBeAbsent }: Operation, exchange: Exchange): InputFault[] =>
  exchange.caller?.kind === 'service' && !orgMayBeAbsent && namedOrgOf(exchange) === undefined
    ? [
        {
          path: 'org_id',
          code: 'missing_field',
          message: 'is required with a service key: the organization to act for',
        },
      ]
    : []
