/** The Events stack: every lost Stripe event raises an alarm. */
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { backgroundFunctions } from '../../functions/background.ts'
import { stackName } from '../../lib/stage.ts'
import { ofType, type Resource, resourcesOf, synthesize } from './synthesize.ts'

const partnerSource = 'aws.partner/stripe.com/ed_test_61PgtRTG5aTCIz98516PLsRGLISQK0Otk6FWKjBrcDia'

let app: Map<string, Template>
let template: Record<string, Resource>
let events: Resource[]
let withPartner: Resource[]

beforeAll(() => {
  app = synthesize({ stage: 'dev' })
  template = app.get(stackName('dev', 'Events'))?.toJSON().Resources
  events = Object.values(template)
  const context = { stage: 'dev', stripe_partner_source: partnerSource, stripe_account: 'acct_1' }
  withPartner = resourcesOf([synthesize(context).get(stackName('dev', 'Events')) as Template])
})

/** The logical id of the function that a description begins with. */
function functionId({ id }: { id: string }): string {
  const found = Object.entries(template).find(
    ([, { Type, Properties }]) => Type === 'AWS::Lambda::Function' && Properties.Description.startsWith(`${id}: `),
  )
  if (!found) throw new Error(`no function ${id}`)
  return found[0]
}
const projector = () => functionId(backgroundFunctions['stripe-events/project'])
const sweeper = () => functionId(backgroundFunctions['stripe-events/sweep'])
/** The rules for events of Stripe. */
const eventRules = (resources: readonly Resource[]): Resource[] =>
  ofType(resources, 'AWS::Events::Rule').filter(
    ({ Properties: { EventPattern } }) => EventPattern && !EventPattern['detail-type'],
  )
const arnOf = (id: unknown) => ({ 'Fn::GetAtt': [id, 'Arn'] })

describe('the bus', () => {
  test('has one rule for events: our own, to the projector, tried for hours and then a dead letter', () => {
    const [bus, ...moreBuses] = ofType(events, 'AWS::Events::EventBus')
    expect([bus?.Properties.Name, moreBuses]).toEqual(['octomil-settings-dev', []])
    const rules = eventRules(events)
    expect(rules).toHaveLength(1)
    expect(rules[0]?.Properties).toMatchObject({
      EventBusName: { Ref: expect.stringContaining('Bus') },
      EventPattern: { source: ['octomil.stripe'] },
      State: 'ENABLED',
      Targets: [
        {
          Arn: arnOf(projector()),
          DeadLetterConfig: { Arn: arnOf(expect.stringContaining('ProjectDeadLetters')) },
          RetryPolicy: { MaximumEventAgeInSeconds: 6 * 3600, MaximumRetryAttempts: 185 },
        },
      ],
    })
  })

  test('is archived for 30 days, so that events can be replayed', () => {
    const archives = ofType(events, 'AWS::Events::Archive')
    expect(archives).toHaveLength(1)
    expect(archives[0]?.Properties).toMatchObject({
      EventPattern: { source: ['octomil.stripe'] },
      RetentionDays: 30,
      SourceArn: arnOf(expect.stringContaining('Bus')),
    })
  })

  test('accepts events only from the webhook’s function', () => {
    const putting = resourcesOf(app.values())
      .filter(({ Type }) => Type === 'AWS::IAM::Role' || Type === 'AWS::IAM::Policy')
      .filter((role) => JSON.stringify(role).includes('events:PutEvents'))
    expect(putting).toHaveLength(1)
    expect(ofType(resourcesOf(app.values()), 'AWS::Events::EventBusPolicy')).toEqual([])
  })
})

describe('a partner event source', () => {
  test('exists only if the stage names it', () => {
    expect(JSON.stringify([...app.values()].map((stack) => stack.toJSON()))).not.toContain('aws.partner')
  })

  test('named by the stage has a separate bus with a rule to the same projector, and an archive', () => {
    const partnerBus = ofType(withPartner, 'AWS::Events::EventBus').find(({ Properties }) => Properties.EventSourceName)
    expect(partnerBus?.Properties).toMatchObject({ Name: partnerSource, EventSourceName: partnerSource })
    const rules = eventRules(withPartner)
    expect(rules.map(({ Properties }) => Properties.EventPattern.source)).toEqual([
      ['octomil.stripe'],
      [{ prefix: 'aws.partner/stripe.com/' }],
    ])
    const [own, partner] = rules.map(({ Properties }) => Properties.Targets)
    expect(partner).toEqual(own)
    expect(ofType(withPartner, 'AWS::Events::Archive')).toHaveLength(2)
    expect(ofType(withPartner, 'AWS::Lambda::Permission')).toHaveLength(4)
  })

  test('is passed to the projector with the account, so other sources are refused', () => {
    const knowing = ofType(withPartner, 'AWS::Lambda::Function').map(
      ({ Properties }) => Properties.Environment.Variables,
    )
    for (const variables of knowing)
      expect(variables).toMatchObject({ STRIPE_PARTNER_SOURCE: partnerSource, STRIPE_ACCOUNT: 'acct_1' })
  })
})

describe('failures', () => {
  test.each([
    ['an event that cannot be projected', projector, { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 6 * 3600 }],
    ['a sweep', sweeper, { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 3600 }],
  ])('%s is retried within its limits, and then becomes a dead letter', (_what, id, patience) => {
    const configs = ofType(events, 'AWS::Lambda::EventInvokeConfig')
    const config = configs.find(({ Properties }) => Properties.FunctionName.Ref === id())
    expect(config?.Properties).toMatchObject({
      ...patience,
      DestinationConfig: { OnFailure: { Destination: arnOf(expect.stringContaining('DeadLetters')) } },
    })
  })

  test('every dead letter is encrypted and kept for 14 days, and only rules and functions of this stack can send one', () => {
    const queues = ofType(events, 'AWS::SQS::Queue')
    expect(queues).toHaveLength(2)
    for (const { Properties } of queues) {
      expect(Properties).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * 86_400 })
    }
    const statements = ofType(events, 'AWS::SQS::QueuePolicy').flatMap(
      ({ Properties }) => Properties.PolicyDocument.Statement,
    )
    for (const { Effect, Action, Principal, Condition } of statements) {
      if (Effect === 'Deny') continue
      expect([Action, Principal]).toEqual(['sqs:SendMessage', { Service: 'events.amazonaws.com' }])
      expect(Condition).toEqual({ ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [expect.any(String), 'Arn'] } } })
    }
  })

  test('notify the topic of alarms', () => {
    const [topicId] = Object.keys(template).filter((id) => template[id]?.Type === 'AWS::SNS::Topic')
    expect(app.get(stackName('dev', 'Events'))?.toJSON().Outputs.AlarmTopicArn.Value).toEqual({ Ref: topicId })
  })

  test('reach that topic only from CloudWatch of this account', () => {
    const [policy] = ofType(events, 'AWS::SNS::TopicPolicy')
    const allowed = policy?.Properties.PolicyDocument.Statement.filter(({ Effect }) => Effect === 'Allow')
    expect(allowed).toEqual([
      expect.objectContaining({
        Action: 'sns:Publish',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    ])
  })
})

test('the sweep runs every hour, and a failed start is a dead letter too', () => {
  const [schedule, ...more] = ofType(events, 'AWS::Events::Rule').filter(
    ({ Properties }) => Properties.ScheduleExpression,
  )
  expect(more).toEqual([])
  expect(schedule?.Properties).toMatchObject({
    ScheduleExpression: 'rate(1 hour)',
    State: 'ENABLED',
    Targets: [{ Arn: arnOf(sweeper()), DeadLetterConfig: { Arn: arnOf(expect.stringContaining('SweepDeadLetters')) } }],
  })
})

test('an operator can request only a sweep through the bus', () => {
  const requests = ofType(events, 'AWS::Events::Rule').filter(
    ({ Properties }) => Properties.EventPattern?.['detail-type'],
  )
  expect(requests.map(({ Properties: { EventPattern, Targets } }) => [EventPattern, Targets[0]?.Arn])).toEqual([
    [{ source: ['octomil.operator'], 'detail-type': ['Sweep requested'] }, arnOf(sweeper())],
  ])
})
