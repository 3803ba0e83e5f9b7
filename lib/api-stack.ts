/**
 * The HTTP API with all of its routes, and then its stage: routes go live together, and per-route throttles name routes
 * that exist. The functions answer CORS.
 */
import { createHash } from 'node:crypto'
import { CfnOutput, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  type CfnStage,
  type DomainName,
  HttpApi,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets'
import type { Construct } from 'constructs'
import { routeThrottles } from '../functions/throttles.ts'
import { deployedCommit } from './commit.ts'
import { addRecord, apiDomain } from './custom-domain.ts'
import { Front } from './front.ts'
import { removalPolicyOf } from './removal-policy.ts'
import { Routes } from './routes.ts'
import { givenOptionsKey, outputNames, type StageSettings, stackName } from './stage.ts'

export class ApiStack extends Stack {
  readonly httpApi: HttpApi

  constructor(scope: Construct, settings: StageSettings, frontSecretArn?: string) {
    super(scope, stackName(settings.stage, 'Api'), { terminationProtection: settings.retainData })
    const { front, customDomain } = settings
    this.httpApi = new HttpApi(this, 'HttpApi', {
      apiName: `octomil-settings-${settings.stage}`,
      description: 'Settings and billing control plane of Octomil',
      createDefaultStage: false,
      // Beside a custom domain, AWS's own address would be a second way in. CloudFront calls that address.
      disableExecuteApiEndpoint: customDomain !== undefined && front === undefined,
    })
    const routes = new Routes(this, { stage: settings.stage, httpApi: this.httpApi })
    const domain = customDomain?.certificateArn
      ? apiDomain(this, customDomain.domainName, customDomain.certificateArn)
      : undefined
    this.#addStage(settings, domain).addResourceDependency(routes.last)
    const url = this.#addAddress(settings, frontSecretArn, domain)
    new CfnOutput(this, outputNames.apiUrl, { value: url })
    new CfnOutput(this, outputNames.docsUrl, { value: `${url}/api/v1/docs` })
    new CfnOutput(this, outputNames.commit, { value: deployedCommit() })
    // The next deploy compares its options with these. CloudFormation takes no update that changes metadata alone, so an
    // output changes with them.
    this.addMetadata(givenOptionsKey, settings.given)
    new CfnOutput(this, outputNames.optionsDigest, { value: digestOf(settings.given) })
  }

  /** Adds the front and the record of the domain, where the stage has them; returns the address that clients call. */
  #addAddress(settings: StageSettings, frontSecretArn: string | undefined, domain: DomainName | undefined): string {
    const { front, customDomain } = settings
    const made =
      front && frontSecretArn
        ? new Front(this, {
            settings: { ...settings, front },
            apiEndpoint: this.httpApi.apiEndpoint,
            frontSecretArn,
          })
        : undefined
    if (!customDomain) return made?.url ?? this.httpApi.apiEndpoint
    const regional = domain && {
      host: domain.regionalDomainName,
      alias: new ApiGatewayv2DomainProperties(domain.regionalDomainName, domain.regionalHostedZoneId),
    }
    const target = made ?? regional
    if (target) addRecord(this, customDomain, target)
    return `https://${customDomain.domainName}`
  }

  #addStage(settings: StageSettings, domainName: DomainName | undefined): CfnStage {
    const accessLog = new LogGroup(this, 'AccessLog', {
      retention: settings.logRetention,
      removalPolicy: removalPolicyOf(settings),
    })
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

const digestOf = (options: object): string =>
  createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 12)

/** No path, query or header: people paste keys into any of them. The function's own log line has the path, redacted. */
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
