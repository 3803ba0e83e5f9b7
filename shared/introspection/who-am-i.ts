/** The view of a credential: the organization and the principal that it stands for, and its rights. */
import * as z from 'zod'
import { environments, keyViewSchema, scopeField } from '../api-keys/record.ts'
import { roles } from '../auth/scopes.ts'
import { planCodes } from '../billing/plans.ts'
import { lazy } from '../lazy.ts'

const instant = lazy(() => z.iso.datetime({ precision: 3 }).nullable())

export const whoAmISchema = lazy(() =>
  z
    .object({
      org: z
        .object({ id: z.string(), name: z.string().nullable(), plan: z.enum(planCodes) })
        .nullable()
        .meta({ description: 'The organization. null: a service key, and the request names none.' }),
      principal: z
        .object({
          type: z.enum(['user', 'api_key', 'service']),
          id: z.string().meta({ description: 'Id of the key, or `sub` of the token.' }),
          name: z.string().meta({ description: 'Name of the key, or the person’s e-mail address if it is known.' }),
          email: z.string().optional(),
        })
        .meta({ description: 'The person, key or service that the credential stands for.' }),
      key: keyViewSchema().optional().meta({ description: 'The key’s record. Absent for people and service keys.' }),
      role: z.enum(roles).optional().meta({ description: 'The person’s role. Absent for keys.' }),
      scopes: z.array(scopeField()).meta({ description: 'The scopes held. Bundles are expanded.' }),
      environment: z.enum(environments).nullable().meta({ description: 'The key’s environment. null for people.' }),
      expires_at: instant().meta({
        description: 'End of the credential: of a retiring key, the end of its overlap. null: never.',
      }),
      session_ends_at: instant().meta({
        description: 'Time at which the person must sign in again. null for keys.',
      }),
      rate_limit_per_minute: z.int().meta({ description: 'Maximum requests per minute.' }),
    })
    .meta({ id: 'WhoAmI', description: 'A credential as the service sees it.' }),
)

export type WhoAmI = z.infer<ReturnType<typeof whoAmISchema>>
