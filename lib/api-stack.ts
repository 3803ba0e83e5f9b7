/**
 * The HTTP API with all of its routes, and then its stage: routes go live together, and per-route throttles name routes
 * that exist. The functions answer CORS.
 */
import { CfnOutput, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { type CfnStage, HttpApi, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { routeThrottles } from '../functions/throttles.ts'
import { deployedCommit } from './commit.ts'
import { type CustomDomain, customDomain } from './custom-domain.ts'
import { Front } from './front.ts'
import { removalPolicyOf } from './removal-policy.ts'
import { Routes } from './routes.ts'
import { givenOptionsKey, outputNames, type StageSettings, stackName } from './stage.ts'

export class ApiStack extends Stack {
  readonly httpApi: HttpApi

  constructor(scope: Construct, settings: StageSettings, frontSecretArn?: string) {
    super(scope, stackName(settings.stage, 'Api'), { terminationProtection: settings.retainData })
    const { front } = settings
    // With a front, CloudFront serves the domain and calls the API's AWS address.
    const ownDomain = front ? undefined : settings.customDomain
    this.httpApi = new HttpApi(this, 'HttpApi', {
      apiName: `octomil-settings-${settings.stage}`,
      description: 'Settings and billing control plane of Octomil',
      createDefaultStage: false,
      // Beside a custom domain, the AWS address would be a second entry.
      disableExecuteApiEndpoint: ownDomain !== undefined,
    })
    const routes = new Routes(this, { stage: settings.stage, httpApi: this.httpApi })
    this.#addStage(settings, ownDomain).addResourceDependency(routes.last)
    const url =
      front && frontSecretArn
        ? new Front(this, {
            settings: { ...settings, front },
            apiEndpoint: this.httpApi.apiEndpoint,
            frontSecretArn,
          }).url
        : ownDomain
          ? `https://${ownDomain.domainName}`
          : this.httpApi.apiEndpoint
    new CfnOutput(this, outputNames.apiUrl, { value: url })
    new CfnOutput(this, outputNames.docsUrl, { value: `${url}/api/v1/docs` })
    new CfnOutput(this, outputNames.commit, { value: deployedCommit() })
    // The next deploy compares its options with these.
    this.addMetadata(givenOptionsKey, settings.given)
  }

  #addStage(settings: StageSettings, ownDomain: CustomDomain | undefined): CfnStage {
    const accessLog = new LogGroup(this, 'AccessLog', {
      retention: settings.logRetention,
      removalPolicy: removalPolicyOf(settings),
    })
    const domainName = ownDomain && customDomain(this, ownDomain)
    const { default: throttle, exceptions } = routeThrottles(settings.throttle)
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.httpApi,
      stageName: '$default',
      autoDeploy: true,
      throttle,
      ...(domainName ? { domainMapping: { domainName } } : {}),
      accessLogSettings: { destination: new LogGroupLogDestination(accessLog), format: accessLogFormat },
    }).node.defaultChild as CfnStage
    stage.routeSettings = Object.fromEntries(
      Object.entries(exceptions).map(([routeKey, { rateLimit, burstLimit }]) => [
        routeKey,
        // In CloudFormation's spelling: the CDK does not convert names below a JSON property.
        { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit },
      ]),
    )
    return stage
  }
}

/** No path, query or header: people paste keys into them. The function's log line has the redacted path. */
const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    request_id: '$context.requestId',
    time: '$context.requestTime',
    ip: '$context.identity.sourceIp',
    method: '$context.httpMethod',
    route: '$context.routeKey',
    status: '$context.status',
    latency_ms: '$context.responseLatency',
    integration_latency_ms: '$context.integrationLatency',
    error: '$context.error.message',
    // Why API Gateway could not invoke the function: no permission or no concurrency.
    integration_error: '$context.integrationErrorMessage',
  }),
)
