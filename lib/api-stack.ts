/** The HTTP API: stage, throttling, access log. Its routes are added by the resource stacks; the functions answer CORS. */
import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { HttpApi, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { customDomain } from './custom-domain.ts'
import { outputNames, type StageSettings, stackName } from './stage.ts'

export class ApiStack extends Stack {
  readonly httpApi: HttpApi

  constructor(scope: Construct, settings: StageSettings) {
    super(scope, stackName(settings.stage, 'Api'))
    this.httpApi = new HttpApi(this, 'HttpApi', {
      apiName: `octomil-settings-${settings.stage}`,
      description: 'Settings and billing control plane of Octomil',
      createDefaultStage: false,
    })
    const accessLog = new LogGroup(this, 'AccessLog', {
      retention: settings.logRetention,
      removalPolicy: settings.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    const domainName = settings.customDomain && customDomain(this, settings.customDomain)
    new HttpStage(this, 'Stage', {
      httpApi: this.httpApi,
      stageName: '$default',
      autoDeploy: true,
      throttle: settings.throttle,
      ...(domainName ? { domainMapping: { domainName } } : {}),
      accessLogSettings: { destination: new LogGroupLogDestination(accessLog), format: accessLogFormat },
    })
    const url = settings.customDomain ? `https://${settings.customDomain.domainName}` : this.httpApi.apiEndpoint
    new CfnOutput(this, outputNames.apiUrl, { value: url })
    new CfnOutput(this, outputNames.docsUrl, { value: `${url}/api/v1/docs` })
  }
}

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
  }),
)
