/**
 * ARNs of routes, and the SourceArn that a function's permission names. The templates and the local gateway share this
 * module, so it imports no CDK.
 */
import type { Operation, Route } from '../shared/http/operation.ts'

export interface ApiName {
  region: string
  account: string
  apiId: string
}

/** The API's default stage, which adds no path to the address. */
const stage = '$default'

/**
 * The SourceArn that API Gateway sends to Lambda for a route: `<api>/$default/GET/api/v1/health`, and for the catch-all
 * `<api>/$default/$default`, which has no method.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
 */
export const routeArn = (api: ApiName, route: Pick<Route, 'method' | 'path'> | '$default'): string =>
  `${apiArn(api)}/${stage}/${route === '$default' ? route : route.method + route.path}`

/** Start of a permission's SourceArn: `arn:aws:execute-api:<region>:<account>:<api>`. */
export const apiArn = ({ region, account, apiId }: ApiName): string =>
  `arn:aws:execute-api:${region}:${account}:${apiId}`

/** End of a permission's SourceArn, after the API's ARN. It matches every route of the operation. */
export const permittedSource = ({ route }: Pick<Operation, 'route'>): string =>
  route === '$default' ? '/*/$default' : '/*/*/*'

/**
 * Whether a pattern matches an ARN as IAM's `ArnLike` does: each of the six parts by itself, `*` any characters, `?` one.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
export function matchesArn(pattern: string, arn: string): boolean {
  const wanted = partsOf(pattern)
  const given = partsOf(arn)
  return (
    wanted.length === 6 && given.length === 6 && wanted.every((part, index) => globOf(part).test(given[index] ?? ''))
  )
}

/** The resource, the sixth part, may contain colons. */
function partsOf(arn: string): string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, 5), ...(parts.length > 5 ? [parts.slice(5).join(':')] : [])]
}

const globOf = (part: string): RegExp =>
  new RegExp(`^${RegExp.escape(part).replaceAll('\\*', '.*').replaceAll('\\?', '.')}$`, 's')
