/** The app as it is synthesized for a stage, for tests to read. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { addStacks } from '../../lib/app.ts'
import { readStageSettings } from '../../lib/stage.ts'

/** A reference to another resource of the template. */
interface Reference {
  Ref: string
  'Fn::GetAtt': [string, string]
}

interface Statement {
  Sid: string
  Effect: string
  Action: string | string[]
  Resource: unknown
  Principal: unknown
  Condition: Record<'ArnEquals' | 'ArnLike', Record<string, unknown>>
}
export interface Policy {
  PolicyDocument: { Statement: Statement[] }
}

interface Throttle {
  ThrottlingRateLimit: number
  ThrottlingBurstLimit: number
}

interface CacheBehavior {
  AllowedMethods?: string[]
  ResponseHeadersPolicyId: Reference
}

interface Metric {
  Namespace: string
  MetricName: string
  Dimensions?: { Name: string; Value: Record<'Fn::ImportValue', unknown> }[]
}

/**
 * The properties that tests read, of resources of every type, as if each resource had all of them. A property that a test
 * only compares is `unknown`.
 */
export interface Properties extends Policy, Metric {
  AccessLogSettings: { Format: string }
  AlarmActions: unknown
  AlarmDescription: string
  AlarmName: string
  Architectures: unknown
  BackupPlan: { BackupPlanRule: unknown }
  BackupSelection: { Resources: unknown }
  BucketEncryption: unknown
  Budget: unknown
  CachePolicyConfig: unknown
  ComparisonOperator: unknown
  MultiRegion: unknown
  CorsConfiguration: unknown
  DashboardBody: unknown
  DefaultRouteSettings: Throttle
  Description: string
  DestinationConfig: { OnFailure: { Destination: Reference } }
  DisableExecuteApiEndpoint: unknown
  DistributionConfig: {
    Aliases: unknown
    CacheBehaviors: CacheBehavior[]
    CustomErrorResponses: { ErrorCode: number; ResponseCode: number }[]
    DefaultCacheBehavior: CacheBehavior
    Origins: {
      OriginAccessControlId: Reference
      OriginCustomHeaders: { HeaderName: string; HeaderValue: string }[]
      OriginPath: string
      S3OriginConfig: unknown
    }[]
    WebACLId: unknown
  }
  Environment: { Variables: Record<string, unknown> }
  ScalingConfig?: { MaximumConcurrency: number }
  EvaluationPeriods: number
  EventPattern: { source: unknown; 'detail-type'?: unknown }
  EventSourceName: unknown
  ExplicitAuthFlows: unknown
  FunctionCode: unknown
  FunctionName: string & Reference
  GenerateSecretString: unknown
  IntegrationUri: unknown
  KeyUsage: unknown
  KeyPolicy: { Statement: Statement[] }
  LambdaConfig: unknown
  LoggingConfig: { LogGroup: Reference }
  ManagedPolicyArns: unknown
  Metrics: { Expression?: string; MetricStat?: { Metric: Metric } }[]
  Name: unknown
  NotificationsWithSubscribers: { Notification: { Threshold: number }; Subscribers: { Address: string }[] }[]
  OKActions: unknown
  OriginAccessControlConfig: { Name: unknown }
  OwnershipControls: { Rules: unknown }
  Period: number
  Policies: Policy[]
  Principal: unknown
  PublicAccessBlockConfiguration: unknown
  ReadAttributes: unknown
  Replicas: unknown[]
  ResponseHeadersPolicyConfig: {
    CorsConfig: unknown
    CustomHeadersConfig: { Items: { Header: string; Value: string }[] }
    Name: unknown
    SecurityHeadersConfig: {
      ContentSecurityPolicy: { ContentSecurityPolicy: string; Override: boolean }
      ReferrerPolicy: { ReferrerPolicy: string; Override: boolean }
      StrictTransportSecurity: { AccessControlMaxAgeSec: number; Override: boolean }
    }
  }
  RetentionInDays: number
  Role: Reference
  Roles: Reference[]
  RouteKey: string
  RouteSettings: Record<string, Throttle>
  Rules: unknown[]
  Runtime: unknown
  ScheduleExpression: unknown
  Schema: { Name: string; Mutable: boolean }[]
  SmsConfiguration: unknown
  SourceArn: unknown
  SupportedIdentityProviders: unknown
  Target: unknown
  Targets: { Arn: Reference; DeadLetterConfig: { Arn: Reference } }[]
  TimeToLiveSpecification: unknown
  Timeout: number
  TreatMissingData: unknown
  VpcConfig: unknown
  WriteAttributes: unknown
}

export type Resource = { Type: string; Properties: Properties; DeletionPolicy?: string }

/** The stacks of a stage, in the order in which they were added. */
export function stacksOf(context: Record<string, string>): Stack[] {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'octomil-synth-')),
    context: { ...cdkJson.context, ...context },
  })
  addStacks(
    app,
    readStageSettings((name) => app.node.tryGetContext(name)),
  )
  return app.node.children.filter((child): child is Stack => 'stackName' in child)
}

/** The templates of a stage, by stack name. */
export const synthesize = (context: Record<string, string>): Map<string, Template> =>
  new Map(stacksOf(context).map((stack) => [stack.stackName, Template.fromStack(stack)]))

export const resourcesOf = (templates: Iterable<Template>): Resource[] =>
  [...templates].flatMap((template) => Object.values(template.toJSON().Resources ?? {}) as Resource[])

/** The properties of the one resource of a type that `isMeant`. */
export function propertiesOf(
  resources: readonly Resource[],
  type: string,
  isMeant: (properties: Properties) => boolean,
): Properties {
  const found = ofType(resources, type).find(({ Properties }) => isMeant(Properties))
  if (!found) throw new Error(`no ${type} is meant`)
  return found.Properties
}

export const ofType = (resources: readonly Resource[], type: string): Resource[] =>
  resources.filter(({ Type }) => Type === type)
