/** The Lambda of one operation, and the route that leads to it. */
import { Duration } from 'aws-cdk-lib'
import { type HttpApi, HttpMethod, HttpRoute, HttpRouteKey } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { Construct } from 'constructs'
import { getDocs } from '../functions/meta/contract.ts'
import type { Operation } from '../shared/http/operation.ts'
import type { ReferenceScript } from '../shared/http/reference-page.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { outboundEnvironment } from './outbound-settings.ts'
import { ServiceFunction, type Surroundings } from './service-function.ts'
import type { StageSettings } from './stage.ts'

export interface OperationFunctionProps extends Surroundings {
  operation: Operation
  /** The folder of the bundled handler. */
  codeFolder: string
  httpApi: HttpApi
}

/** Below the 30 s after which API Gateway gives up, so that the answer is ours. */
const timeout = Duration.seconds(28)

export class OperationFunction extends ServiceFunction {
  constructor(scope: Construct, id: string, props: OperationFunctionProps) {
    const { operation, httpApi, settings } = props
    super(scope, id, {
      ...props,
      description: `${operation.id}: ${operation.summary}`,
      access: operation.access,
      timeout,
      environment: {
        ...(settings.corsOrigins.length > 0
          ? { [environmentNames.dashboardOrigins]: settings.corsOrigins.join(',') }
          : {}),
        ...(operation.scope === 'public' ? {} : callersEnvironment(settings)),
        ...(operation.id === getDocs.id ? referenceEnvironment(props.referenceScript) : {}),
        ...(operation.scope === 'billing:override'
          ? { [environmentNames.billingOverride]: settings.billingOverride ? 'on' : 'off' }
          : {}),
      },
    })
    const integration = new HttpLambdaIntegration('Integration', this.function, { scopePermissionToRoute: false })
    for (const [index, routeKey] of routeKeysOf(operation).entries()) {
      new HttpRoute(this, index === 0 ? 'Route' : `Route${index + 1}`, { httpApi, routeKey, integration })
    }
  }
}

/** What a function needs to know who calls it. */
function callersEnvironment(settings: StageSettings): Record<string, string> {
  const { oidc, signInProviders } = settings
  return {
    ...outboundEnvironment(settings),
    ...(signInProviders.length > 0 ? { [environmentNames.signInProviders]: signInProviders.join(',') } : {}),
    ...(oidc
      ? {
          [environmentNames.oidcIssuer]: oidc.issuer,
          [environmentNames.oidcAudience]: oidc.audience,
          [environmentNames.oidcOrgClaim]: oidc.orgClaim,
          [environmentNames.oidcRoleClaim]: oidc.roleClaim,
          ...(oidc.jwksUri ? { [environmentNames.oidcJwksUri]: oidc.jwksUri } : {}),
        }
      : {}),
  }
}

const referenceEnvironment = (script?: ReferenceScript): Record<string, string> => ({
  ...(script ? { [environmentNames.referenceScriptUrl]: script.url } : {}),
  ...(script?.integrity ? { [environmentNames.referenceScriptIntegrity]: script.integrity } : {}),
})

const routeKeysOf = ({ route, routes }: Operation): HttpRouteKey[] =>
  route === '$default'
    ? [HttpRouteKey.DEFAULT]
    : routes.map(({ method, path }) => HttpRouteKey.with(path, HttpMethod[method]))
