/**
 * The routes of the API, each with its function's integration and permission. API Gateway refuses two changes of one API
 * at once (ConflictException), so each change waits for the previous one.
 */
import { type CfnResource, Stack, Validations } from 'aws-cdk-lib'
import { CfnIntegration, CfnRoute, type HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { CfnPermission } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { deployedOperations } from '../functions/operations.ts'
import { type Operation, routeKeyOf } from '../shared/http/operation.ts'
import { functionName } from './function-name.ts'
import { pascalCase } from './pascal-case.ts'
import { apiArn, permittedSource } from './route-arn.ts'

export class Routes extends Construct {
  /** Depends on every route. */
  readonly last: CfnResource

  constructor(scope: Construct, { stage, httpApi }: { stage: string; httpApi: HttpApi }) {
    super(scope, 'Routes')
    let last: CfnResource | undefined
    for (const [name, operation] of deployedOperations) {
      for (const change of operationRoutes(this, name, operation, stage, httpApi)) {
        if (last) change.addResourceDependency(last)
        last = change
      }
    }
    if (!last) throw new Error('there is no operation')
    this.last = last
  }
}

/** The changes of the API that an operation needs, in order. */
function operationRoutes(scope: Construct, name: string, operation: Operation, stage: string, { apiId }: HttpApi) {
  const own = new Construct(scope, name.split('/').map(pascalCase).join(''))
  acknowledgeOpenRoute(own, operation)
  const { region, account } = Stack.of(scope)
  const functionArn = `arn:aws:lambda:${region}:${account}:function:${functionName(stage, name)}`
  new CfnPermission(own, 'Permission', {
    action: 'lambda:InvokeFunction',
    functionName: functionArn,
    principal: 'apigateway.amazonaws.com',
    sourceArn: `${apiArn({ region, account, apiId })}${permittedSource(operation)}`,
  })
  const integration = new CfnIntegration(own, 'Integration', {
    apiId,
    integrationType: 'AWS_PROXY',
    integrationUri: functionArn,
    payloadFormatVersion: '2.0',
  })
  const routes = routeKeysOf(operation).map(
    (routeKey, index) =>
      new CfnRoute(own, index === 0 ? 'Route' : `Route${index + 1}`, {
        apiId,
        routeKey,
        target: `integrations/${integration.ref}`,
      }),
  )
  return [integration, ...routes]
}

const routeKeysOf = ({ route, routes }: Operation): string[] =>
  route === '$default' ? ['$default'] : routes.map(routeKeyOf)

/** Authentication is the function's: the reason why no route has an authorizer of API Gateway. */
const acknowledgeOpenRoute = (scope: Construct, { scope: needed }: Operation): void =>
  Validations.of(scope).acknowledge({
    id: 'AwsSolutions-APIG4',
    reason:
      needed === 'public'
        ? 'Public by contract: it answers every caller alike and accesses no data of organizations.'
        : 'The function authenticates before anything else: an authorizer of an HTTP API could not answer with a problem, and its cache would let a revoked key live on.',
  })
